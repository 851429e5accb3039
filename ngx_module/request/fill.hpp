// The fill: the request goes on to the backend in its reduced form, and the answer is captured on its way to the client, judged and
// stored. It begins in the precontent phase; fill_header() and fill_body() run in the header and body filters.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "cache/response/decoder.hpp"
#include "cache/response/parts_control.hpp"
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

// A request on its way to the backend in its reduced form, and what comes back. Views are into the request's pool.
struct Fill {
    ngx_http_headers_in_t client_headers{};  // to be put back once the backend's answer is here
    ngx_http_request_body_t* client_body = nullptr;
    const ngx_http_variable_value_t* client_variables = nullptr;
    ngx_str_t client_args{}, client_unparsed_uri{};
    bool client_valid_unparsed_uri = false;
    in_port_t client_port = 0;
    bool reduced = false;      // ... is in force
    Withheld withheld = Withheld::nothing;
    FillPermit permit;
    bool conditional = false;  // the backend is asked whether the entry at hand is still good

    bool for_store = false;       // the body is kept to be stored,
    bool for_page = false;        // ... or because a page needs it (it has ESI, or is a fragment)
    bool swallow = false;         // the client gets nothing of it as it comes
    bool failed = false;          // the answer says that the site could not make the page (larder_error_status)
    bool client_gone = false;     // ... because it has left
    bool header_held = false;     // nor the header: what the page is made of is known at its end
    bool complete = false;        // all of it was seen
    bool broken = false;          // what comes is not what it says it is: of no use to anybody
    // Where it was sent on from: what was asked for is answered there, or where an internal redirect that is part of answering leads.
    ngx_uint_t uri_changes = 0;
    const ngx_http_upstream_t* upstream = nullptr;  // of an earlier answer, if any
    const ngx_http_core_loc_conf_t* location = nullptr;
    bool purged = false;          // a purge overtook the render
    std::int64_t request_ms = 0;  // Unix time
    std::uint64_t fence = 0;
    std::uint16_t status = 0;
    std::int64_t expected = -1;  // bytes of body, if the backend said
    Event overdue;
    std::unique_ptr<Decoder> decoder;
    CodedRest coded;
    std::list<Decoded> decoded;  // nodes stay where they are
    bool at_work = false;        // what has come is more than one turn has room for
    bool has_ended = false;      // ... and nothing comes after it
    Storability decision;
    std::string body;
    std::unique_ptr<AnswerCompiler> compiler;

    std::string_view plan() const { return compiler != nullptr ? std::string_view(compiler->plan()) : std::string_view(); }
};

// Makes ctx->fill, and sends the request on, reduced if it may be cached. Returns what the phase handler has to return.
ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx);
// The header filter, and the body filter, of a request with a fill.
ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t fill_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in);

// Sends the header of a page of fragments, unless it was sent. Returns what the next header filter does.
ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, const PartsControl& parts);
// Removes the response fields by which the site steers Larder.
void strip_larder_response_headers(ngx_http_request_t* r);

// Ends a fill that has no answer. What the backend still sends is no longer captured.
void retire_fill(Ctx* ctx);

// Whether what r answers now is what the fill asked for, and not what nginx or error_page put in its place.
bool is_fills_answer(ngx_http_request_t* r, Fill& fill);
// Whether what was put in its place is for a failure of the backend, and not for one of its answers.
bool is_for_failure(const ngx_http_request_t* r, const Fill& fill);

}  // namespace larder::ngx
