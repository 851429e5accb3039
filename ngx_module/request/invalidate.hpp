// Invalidation by writes that pass through nginx (RFC 9111 section 4.4), and the hashes of URLs by which purges name
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/stores/topics/purges.hpp"

namespace larder::ngx {

// The purge hash of r's target, which all variants of the URL carry.
std::uint64_t target_hash(ngx_http_request_t* r);
// The purge hash of "http://host/path", or of "/path" on r's host. nullopt if `text` is no URL.
std::optional<std::uint64_t> url_hash(ngx_http_request_t* r, std::string_view text);

bool is_safe(ngx_http_request_t* r);  // r's method is safe (RFC 9110 section 9.2.1)

// Purges in the near cache at once, so that a client that is redirected sees the new page; then in the store. Null:
// purges the near cache's own domain.
void purge_everywhere(const StoreConf* store, const PurgeRequest& purge);

// Call this when an answer's header is about to be sent. If the method is unsafe and the answer no error, purges the
// target, and the URLs in Location and Content-Location if they are on the same host: in the near cache at once, then
// in the location's store.
void invalidate_after(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
