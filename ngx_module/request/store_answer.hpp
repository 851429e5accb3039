// Makes entries of the answer that a fill has captured, and stores them in the near cache and the store. For the
// filters, and for the events that process the rest of a body. Precondition of all functions: ctx->fill. Storing ends
// the fill's permit.
#pragma once

#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Stores the answer and its named parts (<esi:inline>). Its body is complete.
void store_answer(Ctx* ctx);
// Stores the entry at hand again, with the times of the 304 that confirmed it. Afterwards ctx->entry is the new
// entry.
void store_revalidated(ngx_http_request_t* r, Ctx* ctx, EntryParts& parts);
// Stores a marker that says that the key's answers vary on these headers as well.
void store_marker(Ctx* ctx, const std::vector<std::string>& names);
// Stores nothing, and marks the key as a pass: for pass_ms nobody waits for its answers. ctx->detail says why.
void end_with_pass(Ctx* ctx);

// Whether a purge of the answer came while it was made, so that the answer may be older than the purge.
bool was_purged_meanwhile(const Ctx* ctx);

}  // namespace larder::ngx
