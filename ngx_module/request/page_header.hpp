// The header fields of an ESI page that depend on the fragments it consists of.
#pragma once

#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// If the plan makes a form token and the visitor lacks the cookie for it, sets that cookie. Returns whether the
// answer sets it. To be called before the plan runs.
bool give_cookie(ngx_http_request_t* r, Ctx* ctx, std::string_view plan);

// Sets the page's Cache-Control. Call it before the header is sent. `plan`: the page's; may be empty. `parts`: what
// is known about its fragments. A page that depends on its visitor becomes private, whatever its template says; one
// that sets a form cookie becomes no-store; others may be kept no longer than the shortest-lived of their fragments.
void set_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, PartsControl parts);

// For an answer without a plan: if it is older than a purge of it, limits how long caches behind us may keep it.
void limit_purged_header(ngx_http_request_t* r, const Ctx* ctx);

// Whether the plan's output depends on the visitor, for the same URL.
bool reads_visitor(std::string_view plan);

// For a page whose fragments are not known when its header is sent.
PartsControl unknown_parts(std::string_view plan);

// The Cache-Control of r's response header so far, or of an entry. Expires counts only if there is no max-age.
// `age_s`: the answer's age in seconds.
CacheDirectives control_of(ngx_http_request_t* r, std::int64_t age_s);
CacheDirectives control_of(const EntryView& entry, std::int64_t age_s);
// The age in seconds of the answer that the page is made from.
std::int64_t page_age_s(const Ctx* ctx);

}  // namespace larder::ngx
