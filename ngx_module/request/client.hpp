// A client that leaves while its request fills a page. Others may wait for that page, so the fill goes on without the
// client, unless the answer turns out to be for this client alone. Called in the precontent phase and in the filters.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Makes nginx ignore the client's leaving, from the moment when the content handler asks the backend.
void look_away_from_client(ngx_http_request_t* r, Ctx* ctx);
// Undoes that, as the answer turned out to be for this client alone.
void look_at_client_again(ngx_http_request_t* r, Ctx* ctx);
// Whether the client has left, as far as nginx knows. To be called when the client's connection has an event.
bool client_has_left(const ngx_http_request_t* r);
// Whether whoever asked for the fill's answer has left: the client, or the client of a fragment's page.
bool asker_has_left(const Ctx* ctx);
// `rc`: result of the next filter. Returns true if it failed only because the client has left, and the fill goes on
// without it.
bool goes_on_without_client(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);

}  // namespace larder::ngx
