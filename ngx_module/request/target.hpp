// What the client asked for, and where the configuration led the request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache/request/query.hpp"
#include "cache/request/url.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The scheme that the visitor used: as a balancer in front that ends TLS says (X-Forwarded-Proto), else as nginx sees it. Without
// Larder the site would get that field as it came; here it is in the key, so that a client who lies has pages of its own.
std::string_view visitor_scheme(const ngx_http_request_t* r);

// The authority of the request, normalised; "_" where there is none. It may be in `storage`.
std::string_view request_authority(ngx_http_request_t* r, std::string& storage);

// The target as the client sent it, or as a page's include or larder_group names it. For a subrequest of another module: its URI as
// it is now, in `storage`.
std::string_view sent_target(ngx_http_request_t* r, std::string& storage);

// Variant::led: the request's place and URI, and its query by this rule if the configuration changed that. Empty if a request for
// `path`, the target's normalised path, is there anyway.
std::string_view led_to(ngx_http_request_t* r, std::string_view path, const QueryRule& rule,
                        std::string& storage);

// A normalised path as nginx decodes it to choose a location; it may be in `storage`, which does not hold `path`. Nothing for what
// nginx refuses.
std::optional<std::string_view> decoded_path(ngx_http_request_t* r, std::string_view path, std::string& storage);

// The URL of the request, as a base for what its answer names.
Url request_url(ngx_http_request_t* r);

}  // namespace larder::ngx
