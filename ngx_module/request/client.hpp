// A client that leaves while its request fills a page. Others may wait for that page, so the fill goes on without the client until
// the answer proves to be of no use to others. Called in the precontent phase and in the filters.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// From when the location's content handler asks the backend, nginx does not look whether the client leaves.
void look_away_from_client(ngx_http_request_t* r, Ctx* ctx);
// Undoes that: the answer is for this client alone.
void look_at_client_again(ngx_http_request_t* r, Ctx* ctx);
// Whether the client has left, as far as nginx knows. To be asked when its connection has an event.
bool client_has_left(const ngx_http_request_t* r);
// Whether who asked for the fill's answer has left, the client or a fragment's page: the answer is of use to others, or to nobody.
bool asker_has_left(const Ctx* ctx);
// `rc`: what the next filter returned. True if it says only that the client has left and the fill goes on without it.
bool goes_on_without_client(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);

}  // namespace larder::ngx
