/* What nginx looks up in the shared object. Two modules: one whose filters run first of all, one right after copy. */
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t ngx_http_larder_module;
extern ngx_module_t ngx_http_larder_body_module;

ngx_module_t *ngx_modules[] = {
    &ngx_http_larder_body_module,
    &ngx_http_larder_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_http_larder_body_module",
    "ngx_http_larder_module",
    NULL
};

/* In nginx's list before the copy filter, so it runs after it and sees bodies in memory. */
char *ngx_module_order[] = {
    "ngx_http_larder_body_module",
    "ngx_http_copy_filter_module",
    NULL
};
