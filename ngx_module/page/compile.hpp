// ESI documents become plans.
#pragma once

#include <string>
#include <string_view>

#include "edge_includes/compile.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// For documents that are r's answer, or part of it.
esi::CompileOptions compile_options(ngx_http_request_t* r, const LocConf& conf);
void log_report(ngx_http_request_t* r, const esi::Report& report);

// The plan of a document that is r's answer, or part of it; empty when there is no ESI in it, or it is too large. What is
// wrong in its markup is logged.
std::string compile_document(ngx_http_request_t* r, const LocConf& conf, std::string_view document);

}  // namespace larder::ngx
