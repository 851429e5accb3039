// The variant of a request and its key: which page the request asks for. To be called in the precontent phase, by the lookup;
// extend_variant() also in the header filter, when an answer turns out to vary.
#pragma once

#include <string>
#include <vector>

#include "cache/request/cookies.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Sets the context's variant, key and what they say of the visitor. False if the request can't be cached; ctx->detail says why.
bool build_variant(ngx_http_request_t* r, Ctx* ctx);

// Whether the request has one of these headers and its variant does not hold it.
bool sends_one_of(ngx_http_request_t* r, const Ctx* ctx, const std::vector<std::string>& names);

// The content codings that the client accepts, as a list in one spelling.
std::string client_codings(ngx_http_request_t* r);

// How many variants of one URL may be made within an hour.
unsigned most_variants(const Ctx* ctx);

// The detail for Cache-Status of an answer that varies: "vary" and the names of the headers. In r's pool.
const char* varies_detail(ngx_http_request_t* r, const std::vector<std::string>& names);

// `names`: the headers on which the entry or answer at hand varies. If the request has one of them, adds it to the variant and
// computes the key again; for Accept-Encoding it adds the codings that the client accepts. False if the request has none of
// them, so that the entry or answer is its own.
bool extend_variant(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string>& names);

// The Cookie field that the backend gets of the client's request.
std::string backend_cookies(ngx_http_request_t* r, const Ctx* ctx);

// The cookies of the request that these rules keep. The result is valid until the next call.
const KeptCookies& collect_cookies(const ngx_http_headers_in_t& headers, const std::vector<CookieRule>& rules);

}  // namespace larder::ngx
