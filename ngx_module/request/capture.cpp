// Bodies are processed piece by piece. Work that exceeds the budget of this turn of the event loop (turn.hpp) waits
// for another turn.
#include "ngx_module/request/capture.hpp"

#include <algorithm>
#include <utility>

#include "ngx_module/buffers.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/answer_compiler.hpp"
#include "ngx_module/request/backend_answer.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/fall_back.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/filters.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/store_answer.hpp"
#include "ngx_module/request/subrequest.hpp"
#include "ngx_module/request/substitute.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

bool is_last(const ngx_http_request_t* r, const ngx_buf_t* buffer) {
    return buffer->last_buf || (r != r->main && buffer->last_in_chain);
}

std::string_view bytes_of(const ngx_buf_t* buffer) {
    if (!ngx_buf_in_memory(buffer)) return {};
    return {reinterpret_cast<char*>(buffer->pos), static_cast<std::size_t>(buffer->last - buffer->pos)};
}

// The most bytes that a coded body may decode to.
std::size_t most_decoded(const Ctx* ctx) {
    constexpr std::size_t most_growth = 16;  // times what may be stored: enough for text, too little for a bomb
    return most_growth * std::max<std::size_t>(ctx->policy().max_body, ctx->conf->esi.value().size);
}

}  // namespace

// Decodes the body from here on, and removes from the header what described the coded body.
void start_decoding(ngx_http_request_t* r, Ctx* ctx, std::string_view coding) {
    Fill& fill = *ctx->fill;
    fill.decoder = Decoder::make(coding, most_decoded(ctx));
    each_response_header(r, [](ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Content-Encoding")) header.hash = 0;
    });
    r->headers_out.content_encoding = nullptr;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_weak_etag(r);
    remove_digests(r);
    for (NamedValue& header : fill.decision.headers) {
        bool strong = equals_ignore_case(header.name, "ETag") && header.value.substr(0, 2) != "W/";
        if (strong) header.value = view(copy(r->pool, "W/" + std::string(header.value)));
    }
    r->filter_need_in_memory = 1;
}

namespace {

// Raises proxy_buffers for this response so that nginx reads the whole body into memory at the backend's speed.
// Otherwise nginx would write what a slow client has not taken to a file and read it back at that client's pace, and
// every request that waits for the page would wait for that client. Doubled, because small chunks waste buffer space.
void read_at_backends_pace(ngx_http_request_t* r, std::size_t most) {
    ngx_http_upstream_t* upstream = r->upstream;
    if (upstream == nullptr || !upstream->buffering || upstream->conf->bufs.size == 0) return;
    auto* conf =
        static_cast<ngx_http_upstream_conf_t*>(ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t)));
    if (conf == nullptr) throw std::bad_alloc();
    *conf = *upstream->conf;
    conf->bufs.num =
        std::max<ngx_int_t>(conf->bufs.num, static_cast<ngx_int_t>(2 * most / conf->bufs.size) + 2);
    upstream->conf = conf;
}

// Whether the body outgrew these buffers. (With proxy_cache behind us, everything goes through a file.)
bool went_to_file(const ngx_http_request_t* r) {
    bool piped = r->upstream != nullptr && r->upstream->buffering && r->upstream->pipe != nullptr;
    const ngx_event_pipe_t* pipe = piped ? r->upstream->pipe : nullptr;
    return piped && !pipe->cacheable && pipe->temp_file != nullptr && pipe->temp_file->offset > 0;
}

}  // namespace

void prepare_capture(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    fill.expected = r->headers_out.content_length_n;
    std::size_t limit = ctx->policy().max_body;
    if (fill.body_for == BodyFor::nobody) return;
    r->filter_need_in_memory = 1;
    std::size_t most = fill.is_for_page() ? std::max(limit, ctx->conf->esi.value().size) : limit;
    if (fill.expected > 0) {
        most = std::min(most, static_cast<std::size_t>(fill.expected));
        fill.body.reserve(most);
    }
    read_at_backends_pace(r, most);
    // The capture needs the complete body, so the client gets it complete: conditions and ranges apply only to
    // answers from the cache.
    r->allow_ranges = 0;
    r->headers_in.if_modified_since = r->headers_in.if_unmodified_since = nullptr;
    r->headers_in.if_match = r->headers_in.if_none_match = nullptr;
    r->headers_in.range = r->headers_in.if_range = nullptr;
}

ngx_int_t send_header(ngx_http_request_t* r, Ctx* ctx) {
    ToClient& to_client = ctx->fill->to_client;
    if (to_client == ToClient::header_held) to_client = ToClient::as_it_comes;
    if (to_client == ToClient::page) to_client = ToClient::nothing;
    if (!add_cache_status(r, ctx)) return NGX_ERROR;
    ngx_int_t rc = next_header_filter(r);
    return goes_on_without_client(r, ctx, rc) ? NGX_OK : rc;
}

ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan,
                           const PartsControl& parts) {
    if (r->header_sent) return NGX_OK;
    set_page_header(r, ctx, plan, parts);
    return ctx->fill == nullptr ? ngx_http_send_header(r) : send_header(r, ctx);
}

namespace {

void drop_trailers(ngx_http_request_t* r) {
    each_element(r->headers_out.trailers, [](ngx_table_elt_t& trailer) { trailer.hash = 0; });
}

// The whole body was received: compiles and stores it. Returns false if that exceeds this turn.
bool finish(ngx_http_request_t* r, Ctx* ctx) {
    constexpr std::uint64_t store_work = 300;
    constexpr std::size_t stored_bytes_per_unit = 256;
    Fill& fill = *ctx->fill;
    bool is_whole = fill.expected < 0 || fill.expected == static_cast<std::int64_t>(fill.body.size());
    fill.progress = is_whole ? Progress::complete : Progress::ended;
    if (!is_whole) {
        ctx->fill->permit.abandon();
        return true;
    }
    if (fill.decision.esi && fill.compiler == nullptr)
        fill.compiler = std::make_unique<AnswerCompiler>(r, *ctx->conf, fill.body);
    // nginx does not keep a request without a client until another turn.
    if (fill.compiler != nullptr && fill.to_client == ToClient::gone) fill.compiler->run_to_end();
    if (fill.compiler != nullptr && !fill.compiler->run()) return false;
    // Storing one page is never postponed. The many fragments of a page may all end in one turn.
    if (ctx->role == Role::fragment && turn_is_over()) return false;
    if (fill.is_for_store()) {
        spend_turn(store_work + fill.body.size() / stored_bytes_per_unit);
        store_answer(ctx);
    }
    return true;
}

// The body is complete and compiled: assembles the page. NGX_DONE: the page, or the error sent in its place, will
// finalize the request.
ngx_int_t begin_page(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (!fill.is_complete()) {
        give_up(r, ctx);
        return NGX_DONE;
    }
    ngx_int_t rc = start_page(r, ctx, fill.body, fill.plan());
    if (rc == NGX_DONE) r->buffered |= larder_buffered;  // nginx keeps the request until the page is complete
    return rc;
}

// Postpones the rest of the work to another turn. nginx has to keep the request meanwhile: a refresh by a reference,
// a client's request by `buffered`. A subrequest may have ended for nginx; its end is handled when the work is done
// (subrequest.cpp).
void go_on_later(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (!fill.at_work && ctx->role == Role::refresh) r->main->count++;
    if (ctx->role == Role::client) r->buffered |= larder_buffered;
    fill.at_work = true;
    TurnPlace& place = ctx->turn_place();
    place.bind<&Ctx::go_on_filling>(ctx, r->connection->log);
    place.enter();
}

// Nobody needs the rest of the body of our own request, however long it is: ends its upstream in another turn. Until
// then nginx must not go on reading, as a fast backend could keep it busy for all of this turn.
void end_soon(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->progress = Progress::broken;
    if (r->upstream != nullptr && r->upstream->peer.connection != nullptr) r->upstream->peer.connection->read->ready = 0;
    go_on_later(r, ctx);
}

// nginx signals that an upstream broke off by a buffer with `flush` and no end.
bool upstream_broke_off(ngx_http_request_t* r, const ngx_chain_t* in) {
    return r->upstream != nullptr && r->upstream->peer.connection == nullptr && in->buf->flush &&
           ngx_buf_special(in->buf);
}

// While the body arrives, it turns out that it can't be stored.
void keep_no_longer(ngx_http_request_t* r, Ctx* ctx, Reason why) {
    ctx->fill->no_longer_for(BodyFor::store);
    ctx->detail = why;
    end_with_pass(ctx);
    look_at_client_again(r, ctx);
}

// The page is too large to assemble: sends it as it is, first what was captured, then the rest.
ngx_int_t send_raw_page(ngx_http_request_t* r, Ctx* ctx, const ngx_chain_t* kept, ngx_chain_t* rest) {
    Fill& fill = *ctx->fill;
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "larder: \"%V\" is larger than larder_esi size=%uz: sent as it is", &r->uri,
                  ctx->conf->esi.value().size);
    fill.no_longer_for(BodyFor::page);
    fill.to_client = ToClient::header_held;
    if (fill.is_for_store()) keep_no_longer(r, ctx, Reason::too_large_for_esi);
    ngx_int_t rc = send_page_header(r, ctx, {}, {});
    if (rc == NGX_ERROR || rc > NGX_OK) return rc;
    // The request owns what nginx is sending; nobody changes it any more.
    const auto* body = make<std::string>(r->pool, std::exchange(fill.body, {}));
    ngx_buf_t* buffer = memory_buffer(r->pool, *body);
    ngx_chain_t* chain = buffer != nullptr ? ngx_alloc_chain_link(r->pool) : nullptr;
    if (chain == nullptr) return NGX_ERROR;
    buffer->last_buf = kept->buf->last_buf;
    buffer->last_in_chain = kept->buf->last_in_chain;
    *chain = {buffer, rest};
    return next_body_filter(r, chain);
}

ngx_int_t take_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in) {
    Fill& fill = *ctx->fill;
    bool last = false, any = false;
    for (ngx_chain_t* link = in; link != nullptr; link = link->next) {
        any = any || ngx_buf_size(link->buf) != 0;
        last = last || is_last(r, link->buf);
        if (fill.body_for == BodyFor::nobody) continue;
        if (ctx->include() != nullptr && !ctx->include()->has_room(bytes_of(link->buf).size())) {
            fill.body_for = BodyFor::nobody;
            ctx->fill->permit.abandon();
            fill.body = {};
            continue;
        }
        fill.body.append(bytes_of(link->buf));
        if (fill.is_for_store() && (fill.body.size() > ctx->policy().max_body || went_to_file(r)))
            keep_no_longer(r, ctx, Reason::too_large);
        if (fill.is_for_page() && fill.body.size() > ctx->conf->esi.value().size) {
            if (ctx->role == Role::client) {
                ngx_chain_t* rest = link->next;
                link->next = nullptr;
                consume(in);
                return send_raw_page(r, ctx, link, rest);
            }
            fill.no_longer_for(BodyFor::page);
        }
        if (fill.body_for == BodyFor::nobody) fill.body = {};
    }
    if (fill.progress != Progress::broken) fill.progress = last ? Progress::ended : Progress::coming;
    if (!fill.is_for_store() && asker_has_left(ctx)) return NGX_ERROR;  // nobody needs the rest
    if (ctx->role != Role::client && fill.body_for == BodyFor::nobody && !last) end_soon(r, ctx);
    if (fill.is_swallowed()) consume(in);
    if (last && fill.body_for != BodyFor::nobody) {
        drop_trailers(r);
        bool is_page = fill.is_for_page() && ctx->role == Role::client;
        if (!finish(r, ctx)) {
            go_on_later(r, ctx);
            if (is_page) return NGX_DONE;
        } else if (is_page) {
            return begin_page(r, ctx);
        }
    }
    if (fill.is_header_held() && !fill.is_for_page()) {
        if (!last && !any) {
            consume(in);
            return NGX_OK;
        }
        ngx_int_t rc = send_header(r, ctx);
        if (rc == NGX_ERROR || rc > NGX_OK) return rc;
    }
    if (fill.is_swallowed()) return NGX_OK;
    ngx_int_t rc = next_body_filter(r, in);
    if (!goes_on_without_client(r, ctx, rc)) return rc;
    consume(in);
    return NGX_OK;
}

// Passes on one decoded piece. Frees those that nginx has sent.
ngx_int_t take_piece(ngx_http_request_t* r, Ctx* ctx, std::string_view text, const CodedRest* end) {
    Fill& fill = *ctx->fill;
    fill.decoded.remove_if([](const Decoded& sent) { return ngx_buf_size(sent.buffer) == 0; });
    Decoded& piece = fill.decoded.emplace_back(std::string(text));
    piece.buffer = memory_buffer(r->pool, piece.text);
    if (piece.buffer == nullptr) throw std::bad_alloc();
    if (end != nullptr) {
        piece.buffer->last_buf = end->last_buf;
        piece.buffer->last_in_chain = end->last_in_chain;
        piece.buffer->flush = end->flush;
    }
    ngx_chain_t chain{piece.buffer, nullptr};
    return take_body(r, ctx, &chain);
}

ngx_int_t refuse_coded(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    fill.coded = {};
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "larder: \"%V\" is not what its Content-Encoding says, or too long",
                  &r->uri);
    // A failed fragment fails alone: its page applies what its include says for that case (alt, onerror).
    if (fill.is_header_held() || ctx->role != Role::client) return give_up(r, ctx);
    ctx->fill->permit.abandon();
    return NGX_ERROR;
}

// Decodes as much as this turn allows. The rest stays in fill.coded.
ngx_int_t decode(ngx_http_request_t* r, Ctx* ctx) {
    constexpr std::size_t bytes_per_unit = 32;  // read plus written
    Fill& fill = *ctx->fill;
    CodedRest& coded = fill.coded;
    std::string_view rest = std::string_view(coded.bytes).substr(coded.taken);
    ngx_int_t rc = NGX_OK;
    Decoder::Room room;
    std::string_view piece;
    while (rc == NGX_OK || rc == NGX_AGAIN) {
        if (turn_is_over()) {
            coded.taken = coded.bytes.size() - rest.size();
            go_on_later(r, ctx);
            return rc;
        }
        const std::size_t before = rest.size();
        Decoder::Made made = fill.decoder->next(rest, room, piece);
        spend_turn(2 + (before - rest.size() + piece.size()) / bytes_per_unit);
        if (made == Decoder::Made::bad) return refuse_coded(r, ctx);
        if (made == Decoder::Made::nothing) break;
        if (!piece.empty()) rc = take_piece(r, ctx, piece, nullptr);
    }
    if (rc != NGX_OK && rc != NGX_AGAIN) return rc;
    CodedRest end = std::exchange(coded, {});
    if (end.is_last && !fill.decoder->complete()) return refuse_coded(r, ctx);
    bool says_more = end.last_buf || end.last_in_chain || end.flush;
    return says_more ? take_piece(r, ctx, {}, &end) : rc;
}

ngx_int_t take_coded(ngx_http_request_t* r, Ctx* ctx, const ngx_buf_t* buffer) {
    Fill& fill = *ctx->fill;
    // Whatever is longer coded than it may be decoded is too long.
    if (fill.coded.bytes.size() + bytes_of(buffer).size() > most_decoded(ctx)) return refuse_coded(r, ctx);
    fill.coded.add(bytes_of(buffer), *buffer, is_last(r, buffer));
    return fill.at_work ? NGX_OK : decode(r, ctx);
}

// Called when postponed work is done: gives back what go_on_later() took, and ends the request or subrequest where
// nginx left that to us.
void end_work(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    ctx->fill->at_work = false;
    bool is_running = r->upstream != nullptr && r->upstream->cleanup != nullptr;
    if (ctx->role != Role::client && ctx->fill->progress == Progress::broken && is_running) {
        end_upstream(r);
        return ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
    switch (ctx->role) {
        case Role::refresh:
            ngx_http_finalize_request(r, NGX_DONE);  // the reference taken by go_on_later()
            break;
        case Role::fragment:
            end_late(ctx);
            break;
        case Role::client:
            if (rc == NGX_DONE) break;
            r->buffered &= 0xf & ~larder_buffered;
            if (ctx->substitution != nullptr) {
                r->buffered |= larder_buffered;
            } else if (ctx->fill->progress == Progress::ended || ctx->fill->is_complete() || (rc != NGX_OK && rc != NGX_AGAIN)) {
                ngx_http_finalize_request(r, rc);
            }
            break;
    }
}

// Goes on with postponed work for one turn. NGX_DONE: the page, or the error sent in its place, will finalize the
// request.
ngx_int_t go_on(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (fill.progress == Progress::broken) return NGX_OK;
    if (!fill.is_complete()) return decode(r, ctx);
    if (!finish(r, ctx)) return go_on_later(r, ctx), NGX_OK;
    return fill.is_for_page() && ctx->role == Role::client ? begin_page(r, ctx) : NGX_OK;
}

}  // namespace

void Ctx::go_on_filling() {
    ngx_http_request_t* r = request;
    ngx_connection_t* c = r->connection;
    ngx_int_t rc = guarded(c->log, "fill", static_cast<ngx_int_t>(NGX_ERROR), [&] { return go_on(r, this); });
    if (rc == NGX_ERROR) {
        if (!fill->is_complete()) fill->progress = Progress::broken;
        fill->permit.abandon();
    }
    if (!place->waits()) end_work(r, this, rc);  // may destroy `this`
    ngx_http_run_posted_requests(c);
}

ngx_int_t fill_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in) {
    Fill& fill = *ctx->fill;
    if (fill.is_header_held() && upstream_broke_off(r, in)) return give_up(r, ctx);
    if (fill.progress == Progress::broken) {
        consume(in);
        if (ctx->role != Role::client) end_soon(r, ctx);
        return NGX_OK;
    }
    if (fill.is_complete()) {  // from a later filter, such as add_after_body
        if (ctx->role == Role::client && fill.to_client != ToClient::gone) return next_body_filter(r, in);
        consume(in);
        return NGX_OK;
    }
    ngx_int_t rc = NGX_OK;
    if (fill.decoder == nullptr) {
        rc = take_body(r, ctx, in);
        return rc == NGX_DONE ? NGX_OK : rc;
    }
    for (ngx_chain_t* link = in; link != nullptr && fill.progress != Progress::broken && (rc == NGX_OK || rc == NGX_AGAIN);
         link = link->next)
        rc = take_coded(r, ctx, link->buf);
    consume(in);
    return rc == NGX_DONE ? NGX_OK : rc;
}

}  // namespace larder::ngx
