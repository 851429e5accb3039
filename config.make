cat << END >> $NGX_MAKEFILE

modules: ngx_http_larder_module.so

ngx_http_larder_module.so:
	+cmake --build $larder_objs/larder --target ngx_http_larder_module

.PHONY: ngx_http_larder_module.so
END
