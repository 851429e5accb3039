// Regeneration in the background: by larderd, or, if there is none, by this worker with a request of its own.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

enum class RefreshOf : std::uint8_t {
    stale_page,
    abandoned_fragment,  // its page was sent without it; these have a queue of their own, and never delay stale pages
};

// Has ctx's page rendered in the background, unless that is under way. Throws std::bad_alloc.
void request_refresh(ngx_http_request_t* r, Ctx* ctx, RefreshOf what = RefreshOf::stale_page);

// For a refresh that the configuration has led to another location or URI than the page's. Logs it, and reports it to
// the caller or remembers it.
void note_misled(ngx_http_request_t* r, const Ctx* ctx);
// The same, for one that was answered before the lookup, by an access rule or `return`.
void note_answered_before(ngx_http_request_t* r, const Ctx* ctx);

// Whether a refresh is, at the lookup, at the location and URI of the page's visitors. If the configuration has led
// it elsewhere, by a header or cookie that the key does not hold, it would render another page: calls note_misled()
// and returns false.
bool is_at_its_place(ngx_http_request_t* r, Ctx* ctx);

// Whether ctx's stale page has to be rendered by this visitor's request: no request of ours can do it, and no other
// visitor's is doing it.
bool is_to_be_made_by_visitor(const Ctx* ctx);

void stop_refreshes();

}  // namespace larder::ngx
