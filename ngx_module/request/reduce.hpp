// The reduced request: what the backend gets to see. It is put in the place of the client's request in the precontent phase, and
// the client's is put back by the header filter, by the lookup after an internal redirect, or in the log phase at the latest.
// Fragments, which nginx would give a copy of the client's request, get one of their own here, too.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// What subrequests of ours have in the place of the client's request. It is made for the first of them, in the client's pool, and
// used for all.
struct Detached {
    ngx_http_headers_in_t headers{};
    ngx_http_request_body_t* body = nullptr;
    const ngx_http_variable_value_t* variables = nullptr;  // each subrequest copies them
};

// Puts the reduced request of ctx->variant in the place of r. Precondition: ctx->fill has begun. If it throws, r is unchanged.
void reduce_request(ngx_http_request_t* r, Ctx* ctx);
// Puts the client's request back, if the reduced one is in its place. Precondition: ctx->fill.
void restore_request(ngx_http_request_t* r, Ctx* ctx);

// Removes Larder-* request headers, which only Larder's own parts may send.
void strip_larder_request_headers(ngx_http_request_t* r);
// Removes Range and the If-* headers. The client of a page of fragments means the page by them, and not its template.
void strip_conditions(ngx_http_request_t* r);

// A request without r's body, and without the fields that describe r, its body or the client's connection.
Detached* detach_from_client(ngx_http_request_t* r);
// Into r's pool.
ngx_http_variable_value_t* copy_variables(ngx_http_request_t* r, const ngx_http_variable_value_t* variables);

}  // namespace larder::ngx
