// What the client asked for, and where the configuration has led the request since.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache/request/query.hpp"
#include "cache/request/url.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The visitor's scheme, "http" or "https": the first one of X-Forwarded-Proto, as set by a balancer that ends TLS;
// else that of the connection. Without Larder the site would see that field as it came. Here it is part of the key,
// so a client that lies gets pages of its own.
std::string_view visitor_scheme(const ngx_http_request_t* r);

// The request's authority, normalised; "_" if there is none. `scheme` is visitor_scheme(). The result may point into
// `storage`.
std::string_view request_authority(ngx_http_request_t* r, std::string_view scheme, std::string& storage);

// The target as the client sent it, or as a page's include or larder_group names it. For a subrequest of another
// module: its present URI, written to `storage`.
std::string_view sent_target(ngx_http_request_t* r, std::string& storage);

// Computes Variant::led: the location's place, r's URI, and, if the configuration changed the query, the query
// normalised by `rule`. Empty if a request for `path`, the normalised path of `sent`, would be there anyway. `sent` is
// sent_target(), split. The result may point into `storage`.
std::string_view led_to(ngx_http_request_t* r, const Target& sent, std::string_view path, const QueryRule& rule,
                        std::string& storage);

// A normalised path, decoded as nginx does to choose a location. The result may point into `storage`, which must not
// hold `path`. nullopt if nginx refuses the path.
std::optional<std::string_view> decoded_path(ngx_http_request_t* r, std::string_view path, std::string& storage);

// The request's URL, normalised: the base for references in its answer.
Url request_url(ngx_http_request_t* r);

}  // namespace larder::ngx
