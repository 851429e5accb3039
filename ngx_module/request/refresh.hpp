// Regeneration in the background: by the daemon, or, when there is none, by this worker with a request of its own.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

enum class RefreshOf : std::uint8_t {
    stale_page,
    abandoned_fragment,  // its page went out without it; these wait for each other, and never hold up stale pages
};

// Has the page of ctx made in the background, unless somebody is at it already.
void request_refresh(ngx_http_request_t* r, Ctx* ctx, RefreshOf what = RefreshOf::stale_page);

// A request that makes a page anew was led elsewhere.
void note_misled(ngx_http_request_t* r, const Ctx* ctx);
// ... was answered before the lookup: by an access rule, or return.
void note_answered_before(ngx_http_request_t* r, const Ctx* ctx);

// Whether a request that makes a page anew is, at the lookup, where that page's visitors are. If the configuration led it elsewhere,
// by a header that the key doesn't hold, it would make another page; that is logged, and remembered for a while.
bool is_at_its_place(ngx_http_request_t* r, Ctx* ctx);

// The stale page of ctx is one that no request of ours can make, and nobody else is making it: this visitor's request has to.
bool is_to_be_made_by_visitor(const Ctx* ctx);

void stop_refreshes();

}  // namespace larder::ngx
