// The reduced request: what the backend gets to see. It replaces the client's request in the precontent phase. The
// client's request is put back by the header filter, by the lookup after an internal redirect, or at the latest in
// the log phase. Requests for fragments, which nginx would start as copies of the client's request, get fields of
// their own here too.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The fields that our subrequests have instead of the client's. Made with the first subrequest, in the client's pool,
// and shared by all.
struct Detached {
    ngx_http_headers_in_t headers{};
    ngx_http_request_body_t* body = nullptr;
    const ngx_http_variable_value_t* variables = nullptr;  // copied for each subrequest
};

// Replaces r's fields, target and body by those of ctx->variant. Precondition: ctx->fill has begun. If it throws, r
// is unchanged.
void reduce_request(ngx_http_request_t* r, Ctx* ctx);
// Puts the client's request back, if the reduced one is in place. Precondition: ctx->fill.
void restore_request(ngx_http_request_t* r, Ctx* ctx);

// Removes Larder-* request fields: only Larder itself may send them.
void strip_larder_request_headers(ngx_http_request_t* r);
// Removes Range and the If-* fields. For a page of fragments they are about the page, but would be applied to its
// template.
void strip_conditions(ngx_http_request_t* r);

// The fields of r without those that describe r itself, its body or the client's connection; and an empty body. In
// r's pool.
Detached* detach_from_client(ngx_http_request_t* r);
// A copy in r's pool. Throws std::bad_alloc.
ngx_http_variable_value_t* copy_variables(ngx_http_request_t* r, const ngx_http_variable_value_t* variables);

}  // namespace larder::ngx
