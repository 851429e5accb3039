// The precontent phase: looks for an entry in the near cache and in the store, and answers, waits, or goes on to the backend.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The phase's handler. An error in here lets the request go on to the site, without a cache.
ngx_int_t lookup_handler(ngx_http_request_t* r);

// Whether the entry at hand may be given to the visitor. One with a session shares no page unless the site said so.
bool is_for_visitor(const Ctx* ctx);

// Asks the store for ctx->key; the answer resumes the request. False if the store can't be asked.
bool ask_store(Ctx* ctx);

}  // namespace larder::ngx
