// The fill: the request goes on to the backend in its reduced form, and the answer is captured on its way to the client, judged and
// stored. It begins in the precontent phase; fill_header() runs in the header filter; the body filter is in capture.hpp.
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

// What a coded piece of a body stands for, until nginx has sent it.
struct Decoded {
    std::string text;
    ngx_buf_t* buffer = nullptr;
};

// What has come of a coded body and is not decoded yet, and how the last of its buffers ends.
struct CodedRest {
    std::string bytes;
    std::size_t taken = 0;  // of these
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

// What the client sent about itself that a reduced request holds nothing of.
enum class Withheld : std::uint8_t {
    nothing,     // but what is between it and us
    user_agent,  // the name of its program
    more,
};

// What the body is kept for while it comes.
enum class BodyFor : std::uint8_t { nobody = 0, store = 1, page = 2, store_and_page = 3 };  // page: it has ESI, or is a fragment

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
    header_held,  // the same, and the header waits for the first of the body
    page,         // nothing yet: header and body will be those of the page that is made of it
    nothing,      // another answer, or a page, has taken its place; or the request has no client
    gone,         // nothing: the client has left
};

// How far the answer is.
enum class Progress : std::uint8_t {
    coming,
    ended,     // and not complete: it is shorter or longer than it said, or not kept
    complete,  // all of it is here
    broken,    // what comes is not what it says it is: of no use to anybody
};

// After a failure a page is made anew no sooner than after so long, unless the site asks for more.
inline constexpr std::int64_t refresh_retry_ms = 1000;

// What the reduced request has taken the place of.
struct ClientsRequest {
    ngx_http_headers_in_t headers{};
    ngx_http_request_body_t* body = nullptr;
    const ngx_http_variable_value_t* variables = nullptr;
    ngx_str_t args{}, unparsed_uri{};
    in_port_t port = 0;
    unsigned valid_unparsed_uri : 1 = 0;
};

// A request on its way to the backend in its reduced form, and what comes back. Views are into the request's pool.
struct Fill {
    std::optional<ClientsRequest> clients;  // while the reduced request is in its place
    Withheld withheld = Withheld::nothing;
    FillPermit permit;
    bool conditional = false;  // the backend is asked whether the entry at hand is still good

    BodyFor body_for = BodyFor::nobody;
    ToClient to_client = ToClient::as_it_comes;
    Progress progress = Progress::coming;
    // Where it was sent on from: what was asked for is answered there, or where an internal redirect that is part of answering leads.
    ngx_uint_t uri_changes = 0;
    const ngx_http_upstream_t* upstream = nullptr;  // of an earlier answer, if any
    const ngx_http_core_loc_conf_t* location = nullptr;
    bool purged = false;          // a purge overtook the render
    bool stored = false;          // the answer is in the near cache, or on its way to a store
    std::int64_t retry_ms = refresh_retry_ms;  // a failure: how long until the page is made anew, at the earliest
    std::int64_t request_ms = 0;  // Unix time
    std::uint64_t fence = 0;
    std::uint16_t status = 0;
    std::int64_t expected = -1;  // bytes of body, if the backend said
    Event overdue;
    std::unique_ptr<Decoder> decoder;
    CodedRest coded;
    std::list<Decoded> decoded;  // nodes stay where they are
    bool at_work = false;        // what has come is more than one turn has room for
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

// Makes ctx->fill, and sends the request on, reduced if it may be cached. Returns what the phase handler has to return.
ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx);
// The header filter of a request with a fill.
ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx);

// Removes the response fields by which the site steers Larder.
void strip_larder_response_headers(ngx_http_request_t* r);

// Ends a fill that has no answer. What the backend still sends is no longer captured.
void retire_fill(Ctx* ctx);

// Whether the answer says that the site could not make the page (larder_error_status). Precondition: ctx->fill.
bool is_failure(const Ctx* ctx);
// Whether what r answers now is what the fill asked for, and not what nginx or error_page put in its place.
bool is_fills_answer(ngx_http_request_t* r, Fill& fill);
// Whether what was put in its place is for a failure of the backend, and not for one of its answers.
bool is_for_failure(const ngx_http_request_t* r, const Fill& fill);

}  // namespace larder::ngx
