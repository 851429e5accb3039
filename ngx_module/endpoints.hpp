// Content handlers of the locations larder_status and larder_purge.
#pragma once

#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// GET: counters, Prometheus' text format.
ngx_int_t status_handler(ngx_http_request_t* r);

// POST /...?tag=NAME&url=URL&mode=soft|hard (each tag and url as often as wanted), or PURGE of the URL itself.
// Answers JSON: {"sequence": N, "purged": number of names}.
ngx_int_t purge_handler(ngx_http_request_t* r);

// A whole answer of our own: a content handler's return value.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view type, std::string_view text);

}  // namespace larder::ngx
