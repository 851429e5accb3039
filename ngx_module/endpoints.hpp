// Content handlers of the locations larder_status and larder_purge.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// GET: counters and gauges in Prometheus' text format.
ngx_int_t status_handler(ngx_http_request_t* r);

// POST /...?tag=NAME&url=URL&mode=soft|hard (any number of tags and URLs, together at most 1000), or PURGE of the URL
// itself. Answers with JSON: {"sequence": N, "purged": number of names}; with status 503 and "error" if a store did
// not take the purge.
ngx_int_t purge_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
