# The target nginx::headers. By default it uses Debian's nginx-dev, configured once with Debian's own flags, so that the module is
# binary compatible with the packaged nginx. -DNGINX_SOURCE=DIR uses another source tree, which must be configured.
set(NGINX_SOURCE "" CACHE PATH "A configured nginx source tree (with objs/); empty: Debian's nginx-dev")

if(NGINX_SOURCE)
    set(nginx_src ${NGINX_SOURCE}/src)
    set(nginx_objs ${NGINX_SOURCE}/objs)
    if(NGINX_OBJS)
        set(nginx_objs ${NGINX_OBJS})
    endif()
else()
    set(nginx_src /usr/share/nginx/src/src)
    set(nginx_objs ${CMAKE_BINARY_DIR}/nginx-dev)
    if(NOT EXISTS ${nginx_objs}/ngx_auto_config.h)
        execute_process(
            COMMAND bash -c ". ./conf_flags && ./configure \"\${NGX_CONF_FLAGS[@]}\" --with-cc-opt=-fPIC --builddir=${nginx_objs}"
            WORKING_DIRECTORY /usr/share/nginx/src
            OUTPUT_QUIET
            COMMAND_ERROR_IS_FATAL ANY)
    endif()
endif()

add_library(nginx_headers INTERFACE)
add_library(nginx::headers ALIAS nginx_headers)
# The include directories that nginx's own makefile uses for modules. event/quic and http/v3 exist since 1.25.
set(nginx_include_directories ${nginx_objs})
foreach(folder core event event/modules event/quic os/unix http http/modules http/v2 http/v3)
    if(EXISTS ${nginx_src}/${folder})
        list(APPEND nginx_include_directories ${nginx_src}/${folder})
    endif()
endforeach()
target_include_directories(nginx_headers SYSTEM INTERFACE ${nginx_include_directories})
