// The precontent phase: looks for an entry in the near cache and in the store, and answers, waits, or goes on to the backend.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Handler of the precontent phase. After an error in here the request goes on to the backend, uncached.
ngx_int_t lookup_handler(ngx_http_request_t* r);

// Whether the entry at hand may be given to this visitor. A visitor with a session gets a shared page only if the
// site declared it for everybody.
bool is_for_visitor(const Ctx* ctx);

// Asks the store for ctx->key; its answer resumes the request. Returns false, and does nothing, if the store can't be
// asked.
bool ask_store(Ctx* ctx);

}  // namespace larder::ngx
