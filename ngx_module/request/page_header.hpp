// What the header of an ESI page says because of what the page is made of.
#pragma once

#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Before the plan runs: sees to it that a visitor for whom it makes a form token has the cookie for it. Whether the answer sets it.
bool give_cookie(ngx_http_request_t* r, Ctx* ctx, std::string_view plan);

// To be called before the header leaves. `plan`: the page's own, may be empty; `parts`: what is known of its fragments. A page
// that depends on its visitor is for that visitor's browser alone, whatever its template's header says; one that hands out a
// cookie is for no cache at all; and none may be kept by others for longer than each of its parts.
void set_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, PartsControl parts);

// For an answer without a plan: if it is older than a purge of it, its header tells those behind us not to keep it.
void limit_purged_header(ngx_http_request_t* r, const Ctx* ctx);

// Whether what the plan gives differs between visitors who ask for the same URL.
bool reads_visitor(std::string_view plan);

// For a page whose parts are not known when its header leaves.
PartsControl unknown_parts(std::string_view plan);

// The Cache-Control of a response's header as it is so far, and of an entry; Expires counts where there is no max-age.
CacheDirectives control_of(ngx_http_request_t* r, std::int64_t age_s);
CacheDirectives control_of(const EntryView& entry, std::int64_t age_s);
// How old what the page is made from is, in seconds.
std::int64_t page_age_s(const Ctx* ctx);

}  // namespace larder::ngx
