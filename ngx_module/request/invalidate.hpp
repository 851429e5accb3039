// What a write through nginx makes of the pages it concerns (RFC 9111 section 4.4), and URLs as purges name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/stores/stores.hpp"

namespace larder::ngx {

// The hash that each variant of a URL carries: of the request's own target,
std::uint64_t target_hash(ngx_http_request_t* r);
// ... or of "http://host/path", or "/path" of the request's own host. Nothing for what is no URL.
std::optional<std::uint64_t> url_hash(ngx_http_request_t* r, std::string_view text);

bool is_safe(ngx_http_request_t* r);  // its method (RFC 9110 section 9.2.1)

// Purges here at once, so that whoever is sent on finds the new page, and in the store soon. Null: what is in no store.
void purge_everywhere(const StoreConf* store, const PurgeRequest& purge);

// To be called when an answer's header is about to leave. If the request was unsafe and the answer is no error: purges the
// target, and Location and Content-Location if they are of the same host, here at once, in the location's store soon.
void invalidate_after(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
