// The fill: sends the request to the backend in its reduced form; captures, judges and stores the answer on its way
// to the client. It begins in the precontent phase (start_fill); fill_header() runs in the header filter; capture.hpp
// has the body filter.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/response/decoder.hpp"
#include "cache/response/storable.hpp"
#include "ngx_module/request/answer_compiler.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/request/permit.hpp"

namespace larder::ngx {

// A decoded piece of a body. It must live until nginx has sent `buffer`.
struct Decoded {
    std::string text;
    ngx_buf_t* buffer = nullptr;
};

// Received bytes of a coded body that are not decoded yet, and the flags of the last of their buffers.
struct CodedRest {
    std::string bytes;
    std::size_t taken = 0;  // bytes that are decoded already
    bool is_last = false, last_buf = false, last_in_chain = false, flush = false;

    void add(std::string_view more, const ngx_buf_t& buffer, bool ends) {
        if (taken > bytes.size() / 2) {
            bytes.erase(0, taken);
            taken = 0;
        }
        bytes.append(more);
        is_last = is_last || ends;
        last_buf = last_buf || buffer.last_buf;
        last_in_chain = last_in_chain || buffer.last_in_chain;
        flush = flush || buffer.flush;
    }
};

// What the client sent about itself that the reduced request leaves out.
enum class Withheld : std::uint8_t {
    nothing,     // nothing but hop-by-hop fields
    user_agent,  // User-Agent alone
    more,
};

// What the body is captured for.
// page: to assemble a page, as it has ESI markup or is a fragment.
enum class BodyFor : std::uint8_t { nobody = 0, store = 1, page = 2, store_and_page = 3 };

constexpr BodyFor operator|(BodyFor a, BodyFor b) {
    return static_cast<BodyFor>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr BodyFor without(BodyFor a, BodyFor b) {
    return static_cast<BodyFor>(static_cast<unsigned>(a) & ~static_cast<unsigned>(b));
}
constexpr bool contains(BodyFor a, BodyFor b) {
    return (static_cast<unsigned>(a) & static_cast<unsigned>(b)) != 0;
}

// What the client gets of the answer.
enum class ToClient : std::uint8_t {
    as_it_comes,
    header_held,  // as_it_comes, but the header waits for the first bytes of the body
    page,         // nothing until the page is assembled; its header and body replace the answer's
    nothing,      // another answer or a page has replaced this one, or the request has no client
    gone,         // nothing: the client has left
};

// How much of the answer was received.
enum class Progress : std::uint8_t {
    coming,
    ended,     // the end was reached, but the body was not captured or its length differs from Content-Length
    complete,  // the end was reached, and the body is complete
    broken,    // invalid or useless: ignore whatever still comes
};

// The shortest time between a failure and the next attempt to render the page, unless Retry-After asks for more.
inline constexpr std::int64_t refresh_retry_ms = 1000;

// The client's request as it was before reduce_request() replaced its parts.
struct ClientsRequest {
    ngx_http_headers_in_t headers{};
    ngx_http_request_body_t* body = nullptr;
    const ngx_http_variable_value_t* variables = nullptr;
    ngx_str_t args{}, unparsed_uri{};
    in_port_t port = 0;
    unsigned valid_unparsed_uri : 1 = 0;
};

// One request to the backend, and its answer. Views refer to the request's pool.
struct Fill {
    std::optional<ClientsRequest> clients;  // set while the reduced request is in its place
    Withheld withheld = Withheld::nothing;
    FillPermit permit;
    bool conditional = false;  // the backend was asked whether the entry at hand is still valid

    BodyFor body_for = BodyFor::nobody;
    ToClient to_client = ToClient::as_it_comes;
    Progress progress = Progress::coming;
    // Where the request stood when it was sent; is_fills_answer() compares. Followed when an internal redirect
    // belongs to the answer.
    ngx_uint_t uri_changes = 0;
    const ngx_http_upstream_t* upstream = nullptr;  // of an earlier attempt, if any
    const ngx_http_core_loc_conf_t* location = nullptr;
    bool purged = false;          // a purge of the answer came while it was made
    bool stored = false;          // the answer is in the near cache, or on its way to a store
    std::int64_t retry_ms = refresh_retry_ms;  // after a failure: the shortest time until the next attempt
    std::int64_t request_ms = 0;  // Unix time in ms when the backend was asked
    std::uint64_t fence = 0;
    std::uint16_t status = 0;
    std::int64_t expected = -1;  // Content-Length; -1: unknown
    Event overdue;
    std::unique_ptr<Decoder> decoder;
    CodedRest coded;
    std::list<Decoded> decoded;  // a list, as nginx's buffers point into the nodes
    bool at_work = false;        // the rest of what was received waits for another turn
    Storability decision;
    std::string body;
    std::unique_ptr<AnswerCompiler> compiler;

    bool is_reduced() const { return clients.has_value(); }
    bool is_complete() const { return progress == Progress::complete; }
    bool is_for_store() const { return contains(body_for, BodyFor::store); }
    bool is_for_page() const { return contains(body_for, BodyFor::page); }
    void take_for(BodyFor more) { body_for = body_for | more; }
    void no_longer_for(BodyFor less) { body_for = without(body_for, less); }
    bool is_header_held() const { return to_client == ToClient::header_held || to_client == ToClient::page; }
    bool is_swallowed() const { return to_client != ToClient::as_it_comes && to_client != ToClient::header_held; }
    std::string_view plan() const { return compiler != nullptr ? std::string_view(compiler->plan()) : std::string_view(); }
};

// Makes ctx->fill and lets the request go on to the backend, reduced if it may be cached. Returns what the phase
// handler has to return.
ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx);
// Header filter for a request with a fill.
ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx);

// Removes the response fields by which the site steers Larder, and Trailer where nginx sends no trailers.
void strip_larder_response_headers(ngx_http_request_t* r);

// Ends a fill without an answer. What the backend still sends is not captured any more.
void retire_fill(Ctx* ctx);

// Whether the answer's status is one of larder_error_status. Precondition: ctx->fill.
bool is_failure(const Ctx* ctx);
// Whether r's answer is the one that the fill asked for, and not one that nginx or error_page put in its place.
bool is_fills_answer(ngx_http_request_t* r, Fill& fill);
// Whether an answer that replaced the fill's one was made because the backend failed.
bool is_for_failure(const ngx_http_request_t* r, const Fill& fill);

}  // namespace larder::ngx
