// The fill: the reduced request goes to the backend, the answer is captured on its way to the client, judged, and stored.
#include "ngx_module/request/fill.hpp"

#include <algorithm>
#include <utility>

#include "cache/request/coding.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "edge_includes/plan/plan.hpp"
#include "ngx_module/buffers.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/condition.hpp"
#include "ngx_module/request/filters.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/permit.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/request/phase_lookup.hpp"
#include "ngx_module/request/reduce.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/subrequest.hpp"
#include "ngx_module/request/substitute.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The content codings that the backend was asked for: in a reduced request what the variant holds, else whatever came.
std::string_view asked_coding(ngx_http_request_t* r, const Ctx* ctx, const std::string& came) {
    const char* why;
    auto variant = ctx->status == Status::pass ? std::nullopt : Variant::parse(view(ctx->variant), &why);
    if (!variant) {
        bool for_page = ctx->role == Role::fragment;  // goes into a page, as it is
        return for_page ? std::string_view() : view(copy(r->pool, came));
    }
    for (const NamedValue& header : variant->headers) {
        if (header.name == "accept-encoding") return header.value;
    }
    return {};
}

// Fields of the backend's answer that nginx keeps to itself, and that say something to a cache: f(name, value). What the operator
// tells nginx to ignore is left out.
template <typename F>
void each_hidden_header(ngx_http_request_t* r, F&& f) {
    if (r->upstream == nullptr) return;
    ngx_uint_t ignored = r->upstream->conf->ignore_headers;
    each_element(r->upstream->headers_in.headers, [&](const ngx_table_elt_t& header) {
        std::string_view name = view(header.key);
        if (header.value.len == 0) return;  // nginx adds an empty Date where there is none
        bool is_hidden =
            equals_ignore_case(name, "Connection") ||
            (equals_ignore_case(name, "Date") && r->headers_out.date == nullptr) ||
            (equals_ignore_case(name, "X-Accel-Expires") && (ignored & NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES) == 0) ||
            (equals_ignore_case(name, "X-Accel-Buffering") && (ignored & NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING) == 0);
        if (is_hidden) f(name, view(header.value));
    });
}

// nginx gives each answer the present time as its Date; an answer that is forwarded has its own (RFC 9110 section 6.6.1).
void send_own_date(ngx_http_request_t* r) {
    if (r->headers_out.date != nullptr) return;
    std::string_view date;
    each_hidden_header(r, [&date](std::string_view name, std::string_view value) {
        if (date.empty() && equals_ignore_case(name, "Date") && parse_http_date(value)) date = value;
    });
    if (date.empty()) return;
    r->headers_out.date = add_response_header(r, ngx_string("Date"), str(date));
    if (r->headers_out.date == nullptr) throw std::bad_alloc();
}

// What the content handler put into headers_out, as the backend sent it. Views are into the request's pool.
Answer gather_answer(ngx_http_request_t* r, const Ctx* ctx) {
    Answer answer;
    answer.status = static_cast<std::uint16_t>(r->headers_out.status);
    answer.request_ms = ctx->fill->request_ms;
    answer.response_ms = now_ms();
    each_response_header(r, [&answer](const ngx_table_elt_t& header) {
        if (header.hash != 0) answer.headers.push_back({view(header.key), view(header.value)});
    });
    each_hidden_header(r, [&answer](std::string_view name, std::string_view value) {
        answer.headers.push_back({name, value});
    });
    if (r->headers_out.content_length_n >= 0)  // of an upstream, nginx keeps only the number
        answer.headers.push_back({"Content-Length", view(decimal(r->pool, r->headers_out.content_length_n))});
    if (r->headers_out.content_type.len != 0) {
        std::string_view type = view(r->headers_out.content_type);
        // nginx keeps the charset of a proxied answer apart from its type.
        if (r->headers_out.charset.len != 0 &&
            r->headers_out.content_type_len == r->headers_out.content_type.len) {
            type = view(
                copy(r->pool, std::string(type) + "; charset=" + std::string(view(r->headers_out.charset))));
        }
        answer.headers.push_back({"Content-Type", type});
    }
    if (r->headers_out.last_modified == nullptr &&
        r->headers_out.last_modified_time != -1) {  // a static file
        auto* text = static_cast<u_char*>(ngx_pnalloc(r->pool, sizeof("Mon, 28 Sep 1970 06:00:00 GMT")));
        if (text == nullptr) throw std::bad_alloc();
        u_char* end = ngx_http_time(text, r->headers_out.last_modified_time);
        answer.headers.push_back(
            {"Last-Modified", {reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)}});
    }
    const std::vector<HeaderRule>& kept = ctx->conf->kept_headers;
    const char* why;
    answer.variant_holds = [&kept,
                            variant = Variant::parse(view(ctx->variant), &why)](std::string_view name) {
        auto is = [name](const auto& header) { return header.name == name; };
        return std::any_of(kept.begin(), kept.end(), is) ||
               (variant && std::any_of(variant->headers.begin(), variant->headers.end(), is));
    };
    answer.personal = ctx->personal;
    answer.authorized = ctx->authorized;
    std::string coding = content_coding(answer.headers);
    answer.decodable = !coding.empty() && Decoder::make(coding, 0) != nullptr;
    answer.accepts = asked_coding(r, ctx, coding);
    return answer;
}

// nginx takes an answer without a status line for HTTP/0.9, and would pass on whatever it is.
bool is_not_http(ngx_http_request_t* r) {
    return r->upstream != nullptr && r->http_version == NGX_HTTP_VERSION_9 && r->http_protocol.len != 0;
}

// What r asks for from here on is asked where it is now.
void note_place(ngx_http_request_t* r, Fill& fill) {
    fill.uri_changes = r->uri_changes;
    fill.upstream = r->upstream;
    fill.location = core_location(r);
}

void begin_fill(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill = std::make_unique<Fill>();
    ctx->fill->request_ms = now_ms();
    ctx->phase = Phase::filling;
    note_place(r, *ctx->fill);
}

ngx_int_t ask_again(ngx_http_request_t* r) {
    clear_response_headers(r);
    r->main->count++;
    ngx_http_finalize_request(r, r->content_handler(r));
    return NGX_ERROR;  // for the upstream that was replaced: it finds itself finalized already
}

// Who asked for the answer has left: it is of use if others can have it, and else to nobody.
bool asker_has_left(const Ctx* ctx) {
    return ctx->fill->to_client == ToClient::gone || (ctx->include() != nullptr && !ctx->include()->has_client());
}

// The answer can't be shared, and the backend did not see all of the request: ask again with all of it. From here on the key
// is known to be personal, so this happens once a minute at most.
ngx_int_t retry_in_full(ngx_http_request_t* r, Ctx* ctx) {
    if (asker_has_left(ctx)) return NGX_ERROR;
    begin_fill(r, ctx);
    ctx->status = Status::pass;
    if (ctx->policy().esi == EsiMode::on) strip_conditions(r);
    return ask_again(r);
}

// A 304 that says nothing of what we have: ask for the whole answer.
ngx_int_t retry_without_condition(ngx_http_request_t* r, Ctx* ctx) {
    FillPermit permit = std::move(ctx->fill->permit);
    ctx->entry.drop();
    start_fill(r, ctx);
    ctx->fill->permit = std::move(permit);
    return ask_again(r);
}

// Whether the backend can be asked once more, in the place of what it has begun to send.
bool can_ask_again(const ngx_http_request_t* r) {
    return r->upstream != nullptr && r->content_handler != nullptr;
}

// Whether the site may have answered something else, had it seen the whole request. A `Vary` says so, but its absence says
// nothing: it is not asked of answers that nobody may keep (RFC 9110 section 12.5.5). So with anything withheld but the name of the
// client's program, the answer may differ; and with that, if it refuses the request or begins a session, which sites tie to it.
bool could_differ(ngx_http_request_t* r, const Fill& fill) {
    if (fill.withheld == Withheld::nothing || !can_ask_again(r)) return false;
    if (fill.withheld == Withheld::more || fill.status >= NGX_HTTP_BAD_REQUEST) return true;
    bool differs = false;
    each_response_header(r, [&differs](const ngx_table_elt_t& header) {
        if (header.hash == 0) return;
        if (equals_ignore_case(view(header.key), "Set-Cookie")) differs = true;
        if (!equals_ignore_case(view(header.key), "Vary")) return;
        each_list_element(view(header.value), [&differs](std::string_view name) {
            differs = differs || name == "*" || equals_ignore_case(name, "User-Agent");
        });
    });
    return differs;
}

// Whether the site would have answered something else to the whole request, though its answer is everybody's and only too large to
// be kept: the client wants a part of it, or wants it on a condition, or it varies. Of a page of fragments Larder sends no parts.
bool whole_request_matters(const ngx_http_request_t* r, const Ctx* ctx) {
    const Storability& decision = ctx->fill->decision;
    if (ctx->role != Role::client || decision.esi || !can_ask_again(r)) return false;
    const ngx_http_headers_in_t& headers = r->headers_in;
    return !decision.vary.empty() || headers.range != nullptr || headers.if_none_match != nullptr ||
           headers.if_modified_since != nullptr || headers.if_match != nullptr ||
           headers.if_unmodified_since != nullptr;
}

// An answer that can't be kept taught something if it was, or may have been, asked for in vain.
void learn_from_reduced(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    bool in_vain = fill.withheld != Withheld::nothing && !is_failure(ctx);
    if (ctx->guess != Guess::none && (fill.decision.store || in_vain)) forecast().learn(ctx->kinds, fill.decision.store);
}

void learn_from_full(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    bool is_page = fill.status != NGX_HTTP_NOT_MODIFIED && fill.status != NGX_HTTP_PARTIAL_CONTENT &&
                   !is_failure(ctx);
    if (is_page) forecast().learn_from_full(ctx->kinds, ctx->key, fill.decision.store);
}

// The page was everybody's, which is why a visitor with a session waited for it, and no longer is.
ngx_int_t retry_for_session(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->permit.abandon();
    ctx->detail = "session";
    return retry_in_full(r, ctx);
}

// The site's answer to a visitor with a session says that the page is everybody's. That answer was made for the visitor: the one
// to keep is made for nobody, in the background.
void fill_for_everybody(ngx_http_request_t* r, Ctx* ctx) {
    if (r->method != NGX_HTTP_GET || is_failure(ctx)) return;
    near_cache::Found found = zone().find(ctx->key, now_ms());
    bool is_kept = found.hold != 0 && EntryView::trusted(found.entry).is_everybodys();
    zone().release(found.hold);
    if (!is_kept && !found.pass) request_refresh(r, ctx);
}

// Whether nginx sends the trailers of the backend's answer on. What is captured has none: neither the client that fills gets them, nor
// those who come.
bool passes_trailers(const ngx_http_request_t* r) {
    return r->upstream != nullptr && r->upstream->conf->pass_trailers;
}

void drop_trailers(ngx_http_request_t* r) {
    each_element(r->headers_out.trailers, [](ngx_table_elt_t& trailer) { trailer.hash = 0; });
}

// Nothing of this answer is kept: why is in ctx->detail.
void end_with_pass(Ctx* ctx) {
    if (Renewal* renewal = ctx->renewal())
        renewal->report = {RenderResult::unstorable, ctx->fill->status, 0, {}, ctx->detail != nullptr ? ctx->detail : ""};
    wake_workers(zone().pass(ctx->key, now_ms(), pass_ms));
    ctx->fill->permit.lock_ended_with_pass();
}

// What may be stored because of the operator's word goes to nobody.
void strip_cookies(ngx_http_request_t* r, const Policy& policy) {
    each_response_header(r, [&policy](ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Set-Cookie") &&
            is_stripped_cookie(policy, view(header.value)))
            header.hash = 0;
    });
}

// Some error_page of the location changes the status of the error to that of what it shows.
bool overwrites_status(const ngx_http_core_loc_conf_t& location) {
    if (location.error_pages == nullptr) return false;
    auto* pages = static_cast<ngx_http_err_page_t*>(location.error_pages->elts);
    return std::any_of(pages, pages + location.error_pages->nelts,
                       [](const ngx_http_err_page_t& page) { return page.overwrite >= 0; });
}

// How long a site that failed asks to be left alone.
std::int64_t asked_for_rest_ms(ngx_http_request_t* r) {
    std::string_view said, date;
    each_response_header(r, [&](const ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Retry-After")) said = view(header.value);
    });
    each_hidden_header(r, [&](std::string_view name, std::string_view value) {
        if (equals_ignore_case(name, "Date")) date = value;
    });
    return retry_after_s(said, date, now_ms() / 1000) * 1000;
}

// What a render call is told unless the answer proves good.
RenderReport failure_report(ngx_http_request_t* r, std::int64_t rest_ms) {
    RenderReport report;
    report.status = static_cast<std::uint16_t>(r->headers_out.status);
    report.retry_after_s = static_cast<std::uint32_t>(rest_ms / 1000);
    report.detail = "status " + std::to_string(report.status) + ", or an answer that broke off";
    return report;
}

// The backend failed, and something servable is at hand.
bool can_fall_back(const Ctx* ctx) {
    return ctx->role != Role::refresh && ctx->servable();
}

// In the place of what the backend sends, the entry at hand is the answer.
ngx_int_t answer_from_entry(ngx_http_request_t* r, Ctx* ctx, Status status) {
    if (ctx->role == Role::client) return answer_instead(ctx, {status});
    ctx->status = status;
    ctx->phase = Phase::serving;
    ctx->fill->to_client = ToClient::nothing;
    ctx->fill->body_for = BodyFor::nobody;
    r->header_sent = 1;
    return NGX_OK;
}

ngx_int_t fall_back(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->permit.abandon();
    zone().postpone_refresh(ctx->key, now_ms() + ctx->fill->retry_ms);
    return answer_from_entry(r, ctx, Status::error_stale);
}

// What comes is not what it says it is, or less: nobody gets it. Nothing of it was sent.
ngx_int_t give_up(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    fill.progress = Progress::broken;
    if (can_fall_back(ctx)) return fall_back(r, ctx);
    ctx->fill->permit.abandon();
    if (ctx->role == Role::client) {
        ctx->detail = "broken-answer";
        return answer_instead(ctx, {Status::error, NGX_HTTP_BAD_GATEWAY});
    }
    fill.status = NGX_HTTP_BAD_GATEWAY;
    fill.to_client = ToClient::nothing;
    fill.body_for = BodyFor::nobody;
    r->header_sent = 1;
    return NGX_OK;
}

bool is_last(const ngx_http_request_t* r, const ngx_buf_t* buffer) {
    return buffer->last_buf || (r != r->main && buffer->last_in_chain);
}

std::string_view bytes_of(const ngx_buf_t* buffer) {
    if (!ngx_buf_in_memory(buffer)) return {};
    return {reinterpret_cast<char*>(buffer->pos), static_cast<std::size_t>(buffer->last - buffer->pos)};
}

// Of a fragment that came in a coding that can't be undone no page can be made.
bool is_unreadable(ngx_http_request_t* r, const Ctx* ctx, const Storability& decision) {
    bool has_body = r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE && r->headers_out.status != NGX_HTTP_NO_CONTENT;
    return ctx->role == Role::fragment && has_body && !decision.coding.empty() && !decision.decode;
}

// Whether the client takes each of these content codings.
bool takes_codings(ngx_http_request_t* r, const std::string& codings) {
    return larder::takes_codings(client_codings(r), codings);
}

// Bytes that a coded body may stand for.
std::size_t most_decoded(const Ctx* ctx) {
    constexpr std::size_t most_growth = 16;  // of what may be stored: enough for text, too little for a bomb
    return most_growth * std::max<std::size_t>(ctx->policy().max_body, ctx->conf->esi.value().size);
}

// From here on the answer is what its coding stood for.
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

// nginx holds what its client has not taken, or what is for a page, in a few buffers, then in a file, from which it comes at the
// client's pace. All others who want the page would wait for that one: so what is captured is read to its end into memory. Twice
// as much, for what frames small chunks.
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

// More came than these buffers hold. (A proxy_cache behind us has all in a file.)
bool went_to_file(const ngx_http_request_t* r) {
    bool piped = r->upstream != nullptr && r->upstream->buffering && r->upstream->pipe != nullptr;
    const ngx_event_pipe_t* pipe = piped ? r->upstream->pipe : nullptr;
    return piped && !pipe->cacheable && pipe->temp_file != nullptr && pipe->temp_file->offset > 0;
}

// A body whose length says that it is not to be kept. One that is to be decoded will have another length.
bool is_too_large(const ngx_http_request_t* r, const Ctx* ctx) {
    return !ctx->fill->decision.decode &&
           r->headers_out.content_length_n > static_cast<std::int64_t>(ctx->policy().max_body);
}

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
    // The whole answer is wanted, so the client gets it whole: conditions and ranges are for answers from the cache.
    r->allow_ranges = 0;
    r->headers_in.if_modified_since = r->headers_in.if_unmodified_since = nullptr;
    r->headers_in.if_match = r->headers_in.if_none_match = nullptr;
    r->headers_in.range = r->headers_in.if_range = nullptr;
}

// An answer of unknown length that takes longer than anybody waits for it may be one without end: from then on nobody waits, and
// it ends with its client. If it ends before, it is stored all the same.
void limit_waiting(Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (ctx->role != Role::client || !fill.is_for_store() || fill.expected >= 0) return;
    fill.overdue.bind<&Ctx::let_others_pass>(ctx, ctx->request->connection->log);
    fill.overdue.start_timer(ctx->conf->lock.value());
}

ngx_int_t send_header(ngx_http_request_t* r, Ctx* ctx) {
    ToClient& to_client = ctx->fill->to_client;
    if (to_client == ToClient::header_held) to_client = ToClient::as_it_comes;
    if (to_client == ToClient::page) to_client = ToClient::nothing;
    if (!add_cache_status(r, ctx)) return NGX_ERROR;
    ngx_int_t rc = next_header_filter(r);
    return goes_on_without_client(r, ctx, rc) ? NGX_OK : rc;
}

ngx_int_t pass_header(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (ctx->role != Role::client) {
        fill.to_client = ToClient::nothing;
        r->header_sent = 1;
        return NGX_OK;
    }
    strip_larder_response_headers(r);
    send_own_date(r);
    if (!add_vary(r, ctx)) return NGX_ERROR;
    if (!fill.is_for_page()) limit_purged_header(r, ctx);
    if (fill.is_for_page()) {
        ngx_http_clear_content_length(r);
        ngx_http_clear_last_modified(r);
        ngx_http_clear_accept_ranges(r);
        ngx_http_clear_etag(r);
    }
    // Until the page is known, or something of what was coded.
    fill.to_client = fill.is_for_page()        ? ToClient::page
                     : fill.decoder != nullptr ? ToClient::header_held
                                               : ToClient::as_it_comes;
    return fill.is_header_held() ? NGX_OK : send_header(r, ctx);
}

// A purge has overtaken the render: what it gives is older than the purge.
bool was_purged_meanwhile(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    unsigned domain = ctx->conf->where.value().domain();
    if (zone().last_purge(domain) <= fill.fence) return false;
    auto hashes = purge_hashes(view(ctx->variant), fill.decision.tags);
    return zone().purge_since(domain, fill.fence, hashes).mode != PurgeMode::none;
}

std::shared_ptr<Renewal> waiting_renewal(const Ctx* ctx) {
    return ctx->renewing != nullptr ? ctx->renewing->renewal : nullptr;
}

// Sets the parts that are of this fill, stores the entry, lets others go on. `renewal`: whom to tell. Returns all of it but the body.
std::string store(Ctx* ctx, EntryParts& parts, std::shared_ptr<Renewal> renewal) {
    Fill& fill = *ctx->fill;
    parts.render_ms =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(now_ms() - fill.request_ms, 0, 0xffffffff));
    parts.created_ms = fill.request_ms;
    parts.fence = fill.fence;
    if (renewal != nullptr && renewal->as_visitor) parts.made_for = MadeFor::anybody;
    if (ctx->asked_group() != nullptr) bind_to_session(*ctx->asked_group(), parts);
    std::string prefix = entry_prefix(parts);
    const Where& where = ctx->conf->where.value();
    auto put = [&](std::function<void(bool)> handler) {
        if (renewal != nullptr) {
            RenderReport& report = renewal->report;
            bool is_here_alone = where.store == nullptr || is_available(*where.store);
            report = {is_here_alone ? RenderResult::near : RenderResult::failed, 0, 0, ctx->key.text(),
                      is_here_alone ? "the page is too large for the store, or nginx uses none" : "nginx does not reach the store"};
            handler = [handler = std::move(handler), renewal](bool stored) {
                RenderReport& end = renewal->report;
                end.result = stored ? RenderResult::stored : RenderResult::failed;
                if (!stored) end.detail = "the store did not take the page";
                handler(stored);
            };
        }
        return where.store != nullptr && !ctx->near_only &&
               put_entry(*where.store, ctx->key, prefix, parts.body, ctx->policy(), std::move(handler));
    };
    if (ctx->uses_near()) {
        wake_workers(zone().insert(ctx->key, where.domain(), prefix, parts.body, now_ms(), &fill.stored));
        fill.stored = put([](bool) {}) || fill.stored;
    } else {  // the others look for it in the store, so once it is there
        zone().postpone_refresh(ctx->key, 0);
        auto end_fill = [key = ctx->key](bool) { wake_workers(zone().abandon(key)); };
        fill.stored = put(end_fill);
        if (!fill.stored) end_fill(false);
    }
    fill.permit.lock_ended();
    count(near_cache::Counter::stored);
    return prefix;
}

// <esi:inline>: parts of the page that others include by their names, with their plans.
void store_named_parts(Ctx* ctx, const EntryParts& page, const std::vector<std::string>& plans) {
    esi::PlanView plan = esi::PlanView::trusted(page.plan);
    const Where& where = ctx->conf->where.value();
    for (std::uint32_t i = 0; i < plan.inline_count(); i++) {
        esi::Inline named = plan.inline_fragment(i);
        std::string variant = part_variant(page.variant, named.name);
        if (variant.empty()) continue;
        std::string_view body = page.body.substr(named.offset, named.length);
        EntryParts part = part_of(page, variant, plans[i], body, named.fetchable);
        std::string prefix = entry_prefix(part);
        Key key = key_of(variant);
        if (ctx->uses_near()) wake_workers(zone().insert(key, where.domain(), prefix, body, now_ms()));
        if (where.store != nullptr && !ctx->near_only)
            put_entry(*where.store, key, prefix, body, ctx->policy(), [](bool) {});
    }
}

void store_answer(Ctx* ctx) {
    Fill& fill = *ctx->fill;
    EntryParts parts;
    parts.status = fill.status;
    parts.life = fill.decision.life;
    parts.variant = view(ctx->variant);
    parts.tags = fill.decision.tags;
    parts.headers = fill.decision.headers;
    parts.steering = fill.decision.steering;
    parts.vary = fill.decision.vary;
    parts.audience = fill.decision.audience;
    if (fill.compiler != nullptr) parts.plan = fill.compiler->plan();
    parts.body = fill.body;
    store(ctx, parts, waiting_renewal(ctx));
    if (!parts.plan.empty()) store_named_parts(ctx, parts, fill.compiler->part_plans());
}

// The backend says that the entry is still good: it is stored anew, and is the answer.
ngx_int_t revalidate(ngx_http_request_t* r, Ctx* ctx) {
    ctx->entry.join();
    auto parts = revalidated(ctx->policy(), ctx->entry.view(), gather_answer(r, ctx),
                             ctx->fill->decision);
    if (!parts) return retry_without_condition(r, ctx);
    std::string bytes = store(ctx, *parts, waiting_renewal(ctx));
    if (!parts->plan.empty()) {
        // Its named parts live as long as the page. They are compiled as what the page is.
        r->headers_out.content_type = str(ctx->entry.view().header("Content-Type"));
        AnswerCompiler named(r, *ctx->conf, parts->body, std::string(parts->plan));
        named.run_to_end();
        store_named_parts(ctx, *parts, named.part_plans());
    }
    bytes.append(parts->body);
    ctx->entry = AtHand(std::move(bytes), Verdict::fresh, false);
    if (!is_for_visitor(ctx)) return retry_for_session(r, ctx);
    ctx->entry.purged = was_purged_meanwhile(ctx);
    return answer_from_entry(r, ctx, Status::revalidated);
}

// Notes for those who come that what is here under this key varies on more headers.
void store_marker(Ctx* ctx, const std::vector<std::string>& names) {
    constexpr std::int64_t day_ms = 86'400'000;  // as long as nothing else is known of the URL
    EntryParts marker;
    marker.kind = EntryKind::marker;
    marker.variant = view(ctx->variant);
    marker.vary = names;
    marker.tags = ctx->fill->decision.tags;
    marker.life = {now_ms(), day_ms, day_ms, 0, 0};  // a soft purge is about pages
    store(ctx, marker, nullptr);  // who waits for a page is not told of a marker
}

// The answer says something of the credentials that were sent, and nothing of the page that others get by theirs.
bool is_about_credentials(const Ctx* ctx) {
    return ctx->authorized && ctx->fill->status >= NGX_HTTP_SPECIAL_RESPONSE;
}

void not_stored(ngx_http_request_t* r, Ctx* ctx) {
    count(near_cache::Counter::unstorable);
    if (is_about_credentials(ctx)) zone().postpone_refresh(ctx->key, now_ms());  // for the next who has some
    if (is_failure(ctx) || is_about_credentials(ctx)) {
        ctx->fill->permit.abandon();
        return;
    }
    if (ctx->fill->decision.unasked) {
        // There may be one for clients that take its coding.
        store_marker(ctx, {"accept-encoding"});
    } else {
        // What we hold of it the backend no longer stands by.
        zone().forget(ctx->key);
        if (const StoreConf* store = ctx->conf->where.value().store; store != nullptr && !ctx->near_only)
            forget_entry(*store, ctx->key);
    }
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "larder: not stored \"%V\": %s", &r->uri,
                   ctx->detail);
    end_with_pass(ctx);
}

// The answer varies on headers that this client sent and the backend did not see. Notes that for those who come, and asks for
// this client's own variant; or, where such variants are not kept, with all that it sent. Variants by content coding always are.
ngx_int_t ask_with_varying_headers(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string> names) {
    bool may_key = ctx->conf->vary_most.value() != 0 || ctx->fill->decision.unasked;
    if (ctx->entry.empty()) store_marker(ctx, names);
    ctx->fill->permit.abandon();
    ctx->entry.drop();
    if (!may_key || !extend_variant(r, ctx, names)) {
        ctx->detail = varies_detail(r, names);
        return retry_in_full(r, ctx);
    }
    zone().admit_variant(ctx->base, ctx->key, now_ms(), most_variants(ctx));  // it counts
    start_fill(r, ctx);
    FillPermit::claim(ctx->key, ctx->fill->permit);
    return ask_again(r);
}

// All of the body is here. False: there is more to do than this turn has room for.
bool finish(ngx_http_request_t* r, Ctx* ctx) {
    constexpr std::uint64_t store_work = 300;
    constexpr std::size_t stored_bytes_per_unit = 256;
    Fill& fill = *ctx->fill;
    bool is_whole = fill.expected < 0 || fill.expected == static_cast<std::int64_t>(fill.body.size());
    fill.progress = is_whole ? Progress::complete : Progress::ended;
    if (!is_whole) {
        ctx->detail = "incomplete";
        ctx->fill->permit.abandon();
        return true;
    }
    if (fill.decision.esi && fill.compiler == nullptr)
        fill.compiler = std::make_unique<AnswerCompiler>(r, *ctx->conf, fill.body);
    if (fill.compiler != nullptr && fill.to_client == ToClient::gone) fill.compiler->run_to_end();  // nginx keeps no request without a client
    if (fill.compiler != nullptr && !fill.compiler->run()) return false;
    // One page is stored as it comes. The many fragments of a page may come in one turn.
    if (ctx->role == Role::fragment && turn_is_over()) return false;
    if (fill.is_for_store()) {
        spend_turn(store_work + fill.body.size() / stored_bytes_per_unit);
        store_answer(ctx);
    }
    return true;
}

// Where nothing is left to do but to assemble the page. NGX_DONE: the page, or what takes its place, ends the request.
ngx_int_t begin_page(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (!fill.is_complete()) {
        give_up(r, ctx);
        return NGX_DONE;
    }
    ngx_int_t rc = start_page(r, ctx, fill.body, fill.plan());
    if (rc == NGX_DONE) r->buffered |= larder_buffered;  // nginx keeps the request until the page is whole
    return rc;
}

// The rest of what came is taken in another turn. nginx keeps the request meanwhile; where it has ended a subrequest, the end counts
// once all is taken (subrequest.cpp).
void go_on_later(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (!fill.at_work && ctx->role == Role::refresh) r->main->count++;
    if (ctx->role == Role::client) r->buffered |= larder_buffered;
    fill.at_work = true;
    TurnPlace& place = ctx->turn_place();
    place.bind<&Ctx::go_on_filling>(ctx, r->connection->log);
    place.enter();
}

// Nobody wants the rest of what comes for a request of ours, however long it is. A backend that is faster than we are would keep
// nginx reading it for all of this turn.
void end_soon(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->progress = Progress::broken;
    if (r->upstream != nullptr && r->upstream->peer.connection != nullptr) r->upstream->peer.connection->read->ready = 0;
    go_on_later(r, ctx);
}

}  // namespace

ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan,
                           const PartsControl& parts) {
    if (r->header_sent) return NGX_OK;
    set_page_header(r, ctx, plan, parts);
    return ctx->fill == nullptr ? ngx_http_send_header(r) : send_header(r, ctx);
}

void strip_larder_response_headers(ngx_http_request_t* r) {
    const Policy& policy = loc_conf(r)->policy;
    const Ctx* ctx = ctx_of(r);
    bool is_captured = ctx != nullptr && ctx->fill != nullptr && ctx->fill->body_for != BodyFor::nobody;
    bool announces = !is_captured && passes_trailers(r);
    each_response_header(r, [&](ngx_table_elt_t& header) {
        bool is_vain = !announces && equals_ignore_case(view(header.key), "Trailer");
        if (is_vain || is_larder_field(policy, view(header.key))) header.hash = 0;
    });
}

bool is_failure(const Ctx* ctx) {
    return ctx->policy().failures.has(ctx->fill->status, ctx->role == Role::refresh);
}

bool is_fills_answer(ngx_http_request_t* r, Fill& fill) {
    if (r->err_status != 0 || r->error_page || r->filter_finalize) return false;
    if (r->uri_changes == fill.uri_changes) return true;
    // An internal redirect has led here. error_page leaves no trace where recursive_error_pages is on and it says "=": so an
    // upstream's redirect has to be an X-Accel-Redirect, and any other must not come from such a location.
    bool by_upstream = r->upstream != nullptr && r->upstream != fill.upstream;
    if (by_upstream) {
        const ngx_http_upstream_t& u = *r->upstream;
        bool asked_for = u.headers_in.x_accel_redirect != nullptr &&
                         (u.conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT) == 0;
        if (!asked_for) return false;
    } else if (fill.location->recursive_error_pages && overwrites_status(*fill.location)) {
        return false;
    }
    bool several = fill.uri_changes - r->uri_changes > 1;
    if (several && (fill.location->recursive_error_pages || core_location(r)->recursive_error_pages)) return false;
    note_place(r, fill);
    return true;
}

bool is_for_failure(const ngx_http_request_t* r, const Fill& fill) {
    const ngx_http_upstream_t* u = r->upstream != fill.upstream ? r->upstream : nullptr;
    return r->err_status >= NGX_HTTP_INTERNAL_SERVER_ERROR ||
           (u != nullptr && u->state != nullptr && u->state->status >= NGX_HTTP_INTERNAL_SERVER_ERROR);
}

void retire_fill(Ctx* ctx) {
    ctx->fill->permit.abandon();
    if (ctx->place != nullptr) ctx->place->leave();
    ctx->retired = std::move(ctx->fill);
}

ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx) {
    begin_fill(r, ctx);
    Fill& fill = *ctx->fill;
    if (ctx->has_variant() && ctx->status == Status::miss && r->method != NGX_HTTP_HEAD) {
        fill.fence = fence_now(ctx->conf->where.value().store);
        if (ctx->renewal() != nullptr) fill.fence = std::max(fill.fence, ctx->renewal()->fence);
        reduce_request(r, ctx);
        look_away_from_client(r, ctx);
    }
    constexpr std::uint64_t asking_work = 2'000;  // nginx opens a connection, most of the time
    if (ctx->role == Role::fragment) spend_turn(asking_work);
    return NGX_DECLINED;
}

// What nginx or error_page put in the place of what the fill asked for. Fragments may be made of it.
static ngx_int_t other_answer(ngx_http_request_t* r, Ctx* ctx, bool reduced) {
    Fill& fill = *ctx->fill;
    if (reduced && is_for_failure(r, fill) && can_fall_back(ctx) && !r->filter_finalize) return fall_back(r, ctx);
    ctx->detail = "error-page";
    if (ctx->role == Role::client) {
        retire_fill(ctx);
        strip_larder_response_headers(r);
        return add_cache_status(r, ctx) ? next_header_filter(r) : NGX_ERROR;
    }
    ctx->fill->permit.abandon();
    fill.body_for = ctx->role == Role::fragment ? BodyFor::page : BodyFor::nobody;
    if (fill.is_for_page()) {
        Storability decision = storability(ctx->policy(), gather_answer(r, ctx));
        if (is_unreadable(r, ctx, decision)) return give_up(r, ctx);
        if (decision.decode) start_decoding(r, ctx, decision.coding);
    }
    prepare_capture(r, ctx);
    return pass_header(r, ctx);
}

// The header is to be that of the page, of which nothing is known but its template.
static void forget_template(ngx_http_request_t* r) {
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);
    remove_digests(r);
}

void Ctx::let_others_pass() {
    if (fill == nullptr) return;
    if (fill->permit.is_held()) end_with_pass(this);
    look_at_client_again(request, this);
}

ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    bool reduced = fill.is_reduced();
    restore_request(r, ctx);
    if (is_not_http(r)) {
        r->http_version = static_cast<ngx_uint_t>(r->http_major) * 1000 + r->http_minor;
        return give_up(r, ctx);
    }
    fill.status = static_cast<std::uint16_t>(r->headers_out.status);
    const bool failed = is_failure(ctx);
    const std::int64_t rest_ms = failed || ctx->renewal() != nullptr ? asked_for_rest_ms(r) : 0;
    if (ctx->renewal() != nullptr) ctx->renewal()->report = failure_report(r, rest_ms);
    // A header without a status is no answer of the backend's: SSI sends one before the stub of a subrequest that has failed.
    bool is_stub = fill.status == 0;
    if (is_stub || !is_fills_answer(r, fill)) return other_answer(r, ctx, reduced);
    if (failed) fill.retry_ms = std::max(refresh_retry_ms, rest_ms);
    if (reduced && failed && can_fall_back(ctx)) return fall_back(r, ctx);
    if (fill.conditional && reduced && fill.status == NGX_HTTP_NOT_MODIFIED) return revalidate(r, ctx);
    if (ctx->role == Role::fragment) fill.take_for(BodyFor::page);
    if (reduced) {
        fill.decision = storability(ctx->policy(), gather_answer(r, ctx));
        bool too_large = fill.decision.store && is_too_large(r, ctx);
        if (too_large) fill.decision.refuse("too-large");
        bool is_anothers = ctx->session && fill.decision.audience != Audience::everybody;
        if (is_anothers && !failed) {
            request_refresh(r, ctx);  // so that the next one knows
            return retry_for_session(r, ctx);
        }
        // An error that says how long it may be kept never replaces the page that a refresh was to renew.
        bool renews_nothing = ctx->role == Role::refresh && failed && ctx->servable();
        bool is_for_store = fill.decision.store && !renews_nothing && ctx->no_store == nullptr &&
                            !any_true(r, ctx->conf->no_store.value());
        if (is_for_store) fill.take_for(BodyFor::store);
        if (is_for_store && ctx->role != Role::refresh && can_ask_again(r) &&
            sends_one_of(r, ctx, fill.decision.vary))
            return ask_with_varying_headers(r, ctx, fill.decision.vary);
        if (fill.decision.unasked && ctx->role == Role::client && can_ask_again(r) && takes_codings(r, fill.decision.coding))
            return ask_with_varying_headers(r, ctx, {"accept-encoding"});
        if (is_for_store) strip_cookies(r, ctx->policy());
        learn_from_reduced(ctx);
        fill.purged = was_purged_meanwhile(ctx);
        if (fill.decision.esi && ctx->role == Role::client) fill.take_for(BodyFor::page);
        if (fill.decision.store && !is_for_store) {  // says something about this request alone
            ctx->detail = ctx->no_store != nullptr ? ctx->no_store : "larder_no_store";
            ctx->fill->permit.abandon();
        } else if (!is_for_store) {
            bool varies = std::string_view(fill.decision.reason) == "vary";
            ctx->detail = varies ? varies_detail(r, fill.decision.vary) : fill.decision.reason;
            not_stored(r, ctx);
            bool in_full = too_large ? whole_request_matters(r, ctx) : could_differ(r, fill);
            if (in_full && !failed) return retry_in_full(r, ctx);
        }
    } else {  // sent in full: nothing is stored, but a page may still be assembled from it
        fill.decision = storability(ctx->policy(), gather_answer(r, ctx));
        if (ctx->session && fill.decision.audience == Audience::everybody) fill_for_everybody(r, ctx);
        if (ctx->guess == Guess::is_not_kept) learn_from_full(ctx);
        if (fill.decision.esi && ctx->role == Role::client && r->method != NGX_HTTP_HEAD) fill.take_for(BodyFor::page);
        if (fill.decision.esi && r->method == NGX_HTTP_HEAD) forget_template(r);
    }
    // A page of fragments and a refresh want all of it, and would wait for ever.
    if (fill.decision.stream && ctx->role != Role::client) return NGX_HTTP_BAD_GATEWAY;
    if (is_unreadable(r, ctx, fill.decision)) return give_up(r, ctx);
    if (fill.decision.decode && (reduced || fill.is_for_page())) start_decoding(r, ctx, fill.decision.coding);
    if (fill.decision.opaque && ctx->role == Role::client)
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "larder: \"%V\" is in the content coding \"%s\", which can't be undone: sent with its ESI markup", &r->uri,
                      fill.decision.coding.c_str());
    prepare_capture(r, ctx);
    limit_waiting(ctx);
    if (!fill.is_for_store() && asker_has_left(ctx)) return NGX_ERROR;
    if (!fill.is_for_store()) look_at_client_again(r, ctx);
    return pass_header(r, ctx);
}

// nginx tells of an upstream that broke off by a buffer that flushes, without an end.
static bool upstream_broke_off(ngx_http_request_t* r, const ngx_chain_t* in) {
    return r->upstream != nullptr && r->upstream->peer.connection == nullptr && in->buf->flush &&
           ngx_buf_special(in->buf);
}

// The answer proves to be none that can be kept while it comes.
static void keep_no_longer(ngx_http_request_t* r, Ctx* ctx, const char* why) {
    ctx->fill->no_longer_for(BodyFor::store);
    ctx->detail = why;
    end_with_pass(ctx);
    look_at_client_again(r, ctx);
}

// A page too large to be assembled goes out as it is: what was kept so far, then the rest.
static ngx_int_t send_raw_page(ngx_http_request_t* r, Ctx* ctx, const ngx_chain_t* kept, ngx_chain_t* rest) {
    Fill& fill = *ctx->fill;
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "larder: \"%V\" is larger than larder_esi size=%uz: sent as it is", &r->uri,
                  ctx->conf->esi.value().size);
    fill.no_longer_for(BodyFor::page);
    fill.to_client = ToClient::header_held;
    if (fill.is_for_store()) keep_no_longer(r, ctx, "too-large-for-esi");
    ngx_int_t rc = send_page_header(r, ctx, {}, {});
    if (rc == NGX_ERROR || rc > NGX_OK) return rc;
    // What is being sent belongs to the request, and nobody writes to it any more.
    const auto* body = make<std::string>(r->pool, std::exchange(fill.body, {}));
    ngx_buf_t* buffer = memory_buffer(r->pool, *body);
    ngx_chain_t* chain = buffer != nullptr ? ngx_alloc_chain_link(r->pool) : nullptr;
    if (chain == nullptr) return NGX_ERROR;
    buffer->last_buf = kept->buf->last_buf;
    buffer->last_in_chain = kept->buf->last_in_chain;
    *chain = {buffer, rest};
    return next_body_filter(r, chain);
}

static ngx_int_t take_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in) {
    Fill& fill = *ctx->fill;
    bool last = false, any = false;
    for (ngx_chain_t* link = in; link != nullptr; link = link->next) {
        any = any || ngx_buf_size(link->buf) != 0;
        last = last || is_last(r, link->buf);
        if (fill.body_for == BodyFor::nobody) continue;
        if (ctx->include() != nullptr && !ctx->include()->has_room(bytes_of(link->buf).size())) {
            fill.body_for = BodyFor::nobody;
            ctx->detail = "page-memory";
            ctx->fill->permit.abandon();
            fill.body = {};
            continue;
        }
        fill.body.append(bytes_of(link->buf));
        if (fill.is_for_store() && (fill.body.size() > ctx->policy().max_body || went_to_file(r)))
            keep_no_longer(r, ctx, "too-large");
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
    if (!fill.is_for_store() && asker_has_left(ctx)) return NGX_ERROR;  // nobody wants the rest
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

// What a coding stands for goes on piece by piece; what was sent of it is let go.
static ngx_int_t take_piece(ngx_http_request_t* r, Ctx* ctx, std::string_view text, const CodedRest* end) {
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

static ngx_int_t refuse_coded(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    fill.coded = {};
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "larder: \"%V\" is not what its Content-Encoding says, or too long",
                  &r->uri);
    // A fragment fails alone, and its page takes what its include says for that.
    if (fill.is_header_held() || ctx->role != Role::client) return give_up(r, ctx);
    ctx->fill->permit.abandon();
    return NGX_ERROR;
}

// Decodes for as long as this turn has room; what is left then stays in fill.coded.
static ngx_int_t decode(ngx_http_request_t* r, Ctx* ctx) {
    constexpr std::size_t bytes_per_unit = 32;  // read or written
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

static ngx_int_t take_coded(ngx_http_request_t* r, Ctx* ctx, const ngx_buf_t* buffer) {
    Fill& fill = *ctx->fill;
    // As much as it may stand for: beyond that it is too long in any case.
    if (fill.coded.bytes.size() + bytes_of(buffer).size() > most_decoded(ctx)) return refuse_coded(r, ctx);
    fill.coded.add(bytes_of(buffer), *buffer, is_last(r, buffer));
    return fill.at_work ? NGX_OK : decode(r, ctx);
}

// The end of what had to wait for other turns.
static void end_work(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    ctx->fill->at_work = false;
    bool is_running = r->upstream != nullptr && r->upstream->cleanup != nullptr;
    if (ctx->role != Role::client && ctx->fill->progress == Progress::broken && is_running) {
        end_upstream(r);
        return ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
    switch (ctx->role) {
        case Role::refresh:
            ngx_http_finalize_request(r, NGX_DONE);  // what go_on_later() took
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

// More of it, for as long as this turn has room. NGX_DONE: the page, or what takes its place, ends the request.
static ngx_int_t go_on(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (fill.progress == Progress::broken) return NGX_OK;
    if (!fill.is_complete()) return decode(r, ctx);
    if (!finish(r, ctx)) return go_on_later(r, ctx), NGX_OK;
    return fill.is_for_page() && ctx->role == Role::client ? begin_page(r, ctx) : NGX_OK;
}

void Ctx::go_on_filling() {
    ngx_http_request_t* r = request;
    ngx_connection_t* c = r->connection;
    ngx_int_t rc = guarded(c->log, "fill", static_cast<ngx_int_t>(NGX_ERROR), [&] { return go_on(r, this); });
    if (rc == NGX_ERROR) {
        if (!fill->is_complete()) fill->progress = Progress::broken;
        fill->permit.abandon();
    }
    if (!place->waits()) end_work(r, this, rc);  // `this` may be gone then
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
    if (fill.is_complete()) {  // a filter behind us has more to say, such as add_after_body
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
