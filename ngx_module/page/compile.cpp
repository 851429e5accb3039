// The compiler's options and reports in nginx's terms.
#include "ngx_module/page/compile.hpp"

#include "edge_includes/page_functions.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

esi::CompileOptions compile_options(ngx_http_request_t* r, const LocConf& conf) {
    esi::CompileOptions options;
    options.limits.document_bytes = conf.esi.value().size;
    options.limits.work = esi::compile_work(conf.esi.value().size);
    options.limits.includes = conf.esi.value().includes;
    options.host_functions = esi::page_functions;
    options.syntax = esi::syntax_of(view(r->headers_out.content_type));
    return options;
}

void log_report(ngx_http_request_t* r, const esi::Report& report) {
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: ESI of \"%V\", line %uD: %s", &r->uri, report.line,
                  report.text.c_str());
}

static void log_result(ngx_http_request_t* r, const LocConf& conf, const esi::CompileResult& result) {
    for (const esi::Report& report : result.reports) log_report(r, report);
    if (result.too_large)
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "larder: \"%V\" is larger than larder_esi size=%uz: sent as it is", &r->uri, conf.esi.value().size);
}

std::string compile_document(ngx_http_request_t* r, const LocConf& conf, std::string_view document) {
    esi::CompileResult result = esi::compile(document, compile_options(r, conf));
    log_result(r, conf, result);
    return std::move(result.plan);
}

}  // namespace larder::ngx
