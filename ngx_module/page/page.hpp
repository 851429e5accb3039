// An ESI page being assembled: fragments are fetched in parallel by subrequests, their bodies kept in memory, and the page
// goes out in order as far as it is complete. Nested ESI fragments are documents of the same page.
#pragma once

#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Starts to assemble `document` by `plan` (empty: it has no markup after all) as the answer to r, whose header is sent.
// Both must live as long as r's pool. NGX_DONE: the page waits for fragments, and finalizes r itself when it is whole; else
// all of it was sent, and this is the output filter's return value.
ngx_int_t start_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan);

// Whether the page may hold `size` more bytes of a fragment's answer: they are counted, and given back when the page ends.
bool page_has_room(Fetch& fetch, std::size_t size);

// Whether the page's client is still there: without it, a fragment is of use to others alone.
bool page_has_client(const Fetch& fetch);

// What the include says of its fragment, once the fragment's location is known.
void apply_include(Ctx* ctx);

}  // namespace larder::ngx
