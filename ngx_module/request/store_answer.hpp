// From the answer that a fill has captured to an entry in the near cache and in the store. For the filters, and for the events in which
// the rest of a body is taken. Precondition of all: ctx->fill. What is stored ends the fill's permit.
#pragma once

#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Stores the answer, whose body is complete, with the named parts that it has (<esi:inline>).
void store_answer(Ctx* ctx);
// Stores the entry at hand anew, as the backend said that it is still good. It is what is at hand then.
void store_revalidated(ngx_http_request_t* r, Ctx* ctx, EntryParts& parts);
// Notes for those who come that the key's answers vary on these headers, too.
void store_marker(Ctx* ctx, const std::vector<std::string>& names);
// Nothing of the answer is kept, and for a while nobody waits for an answer of this key. Why is in ctx->detail.
void end_with_pass(Ctx* ctx);

// Whether the answer is older than a purge of it: the purge came while the page was made.
bool was_purged_meanwhile(const Ctx* ctx);

}  // namespace larder::ngx
