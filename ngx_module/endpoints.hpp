// Content handlers of the locations larder_status and larder_purge.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// GET: counters, Prometheus' text format.
ngx_int_t status_handler(ngx_http_request_t* r);

// POST /...?tag=NAME&url=URL&mode=soft|hard (each tag and url as often as wanted), or PURGE of the URL itself.
// Answers JSON: {"sequence": N, "purged": number of names}.
ngx_int_t purge_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
