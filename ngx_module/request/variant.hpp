// Computes the variant of a request, and its key: which page the request asks for. Called by the lookup, in the
// precontent phase; extend_variant() also in the header filter, when an answer turns out to vary.
#pragma once

#include <string>
#include <vector>

#include "cache/request/cookies.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Sets ctx->variant, ctx->key and the flags about the visitor. False if the request can't be cached; ctx->detail says
// why.
bool build_variant(ngx_http_request_t* r, Ctx* ctx);

// Whether the request sends one of these headers, and its variant does not hold it.
bool sends_one_of(ngx_http_request_t* r, const Ctx* ctx, const std::vector<std::string>& names);

// The content codings that the client accepts, as a list in normalised form.
std::string client_codings(ngx_http_request_t* r);

// How many variants of one URL may be made per hour.
unsigned most_variants(const Ctx* ctx);

// The detail of an answer that varies on these headers. Their names are in r's pool, cut to fit.
Detail varies_detail(ngx_http_request_t* r, const std::vector<std::string>& names);

// Adds to the variant those headers of `names`, on which the entry or answer at hand varies, that the request sends,
// and recomputes the key. For Accept-Encoding it adds the codings that the client accepts. False if nothing was
// added: the entry or answer at hand is the right one.
bool extend_variant(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string>& names);

// The Cookie field of the request to the backend: the kept cookies.
std::string backend_cookies(ngx_http_request_t* r, const Ctx* ctx);

// The request's cookies that these rules keep. The result is valid until the next call.
const KeptCookies& collect_cookies(const ngx_http_headers_in_t& headers, const std::vector<CookieRule>& rules);

}  // namespace larder::ngx
