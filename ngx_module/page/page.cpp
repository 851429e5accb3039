// The host of the ESI assembler: it carries out its steps with nginx's subrequests and buffers.
//
// Subrequests run in the background (they don't take part in nginx's own ordering of output): their answers are captured by
// fill.cpp or come from entries, and what goes out when is decided here. Work is batched: whatever ends in one turn of the
// event loop is looked at once, after all of that turn, so a page whose fragments are all at hand leaves in one write, and
// one that has to wait sends what it has just before it waits.
#include "ngx_module/page/page.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "edge_includes/assembler.hpp"
#include "edge_includes/include_url.hpp"
#include "ngx_module/page/assembled.hpp"
#include "ngx_module/page/environment.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

class Page;
struct Document;

// One URL being fetched for a page; several places may want it.
struct Fetch {
    enum class State : std::uint8_t { pending, good, failed };
    struct Wanted {
        Document* document;
        esi::FragmentId id;
    };

    Page* page = nullptr;
    std::string target;
    State state = State::pending;
    std::uint16_t status = 0;
    std::string_view body, plan;
    std::vector<Wanted> wanted;
    ngx_event_t timer{};
    bool counted = false;  // its end was told to those who want it
    std::optional<near_cache::Zone::Part>
        part;  // a fresh entry of the near cache, the same for all who share the page
};

namespace {

struct Piece {
    std::string_view data;
    bool is_place = false;
    esi::FragmentId place = 0;
};

struct Pieces {
    std::vector<Piece> list;
    std::size_t sent = 0;
    bool closed = false;
};

}  // namespace

// What stands where an include was: a fragment, or what the page says instead.
struct Place {
    Fetch* fetch = nullptr;  // good
    std::unique_ptr<Document> nested;
    Pieces instead;
};

struct Document {
    std::string_view bytes;
    std::string path;
    unsigned depth;
    std::optional<esi::Assembler> assembler;  // none: no markup
    Pieces pieces;
    std::deque<Place> places;
    std::vector<Pieces*> open;

    Document(std::string_view document, std::string_view plan, std::string document_path,
             unsigned document_depth, esi::Environment& environment, const esi::AssembleLimits& limits)
        : bytes(document), path(std::move(document_path)), depth(document_depth) {
        if (plan.empty()) {
            pieces.list.push_back({document});
            pieces.closed = true;
        } else {
            assembler.emplace(esi::PlanView::trusted(plan), environment, limits);
        }
        open.push_back(&pieces);
    }

    Place& place(esi::FragmentId id) {
        while (places.size() <= id) places.emplace_back();
        return places[id];
    }
};

class Page {
public:
    Page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan)
        : request_(r), ctx_(ctx), environment_(r, ctx) {
        limits_.fetches = ctx->conf->esi.value().includes;
        root_ = new_document(document, plan, std::string(view(r->uri)), 1);
        event_.handler = on_event;
        event_.data = this;
        event_.log = r->connection->log;
    }

    ~Page() {
        if (event_.posted) {
            ngx_delete_posted_event(&event_);
        }
        for (const auto& fetch : fetches_) {
            if (fetch->timer.timer_set) ngx_del_timer(&fetch->timer);
        }
    }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    ngx_int_t start() {
        run(*root_);
        if (root_->pieces.closed && fetches_.empty()) return send();
        waiting_ = true;
        request_->write_event_handler = ngx_http_request_empty_handler;
        if (request_ == request_->main && ctx_->fill == nullptr)
            request_->read_event_handler = ngx_http_test_reading;
        ngx_post_event(&event_, &ngx_posted_events);
        return NGX_DONE;
    }

    void ended(Fetch& fetch, Fetch::State state, std::uint16_t status) {
        if (fetch.state != Fetch::State::pending) return;  // it was given up before
        fetch.state = state;
        fetch.status = status;
        if (fetch.timer.timer_set) ngx_del_timer(&fetch.timer);
        if (waiting_) {
            ngx_post_event(&event_, &ngx_posted_events);
        }
    }

private:
    std::unique_ptr<Document> new_document(std::string_view bytes, std::string_view plan, std::string path,
                                           unsigned depth) {
        if (!plan.empty() && esi::PlanView::trusted(plan).reads() != esi::Reads{}) personal_ = true;
        return std::make_unique<Document>(bytes, plan, std::move(path), depth, environment_, limits_);
    }

    ngx_log_t* log() const { return request_->connection->log; }

    void run(Document& document) {
        if (!document.assembler) return;
        for (;;) {
            esi::Step step = document.assembler->step();
            auto& list = document.open.back()->list;
            switch (step.kind) {
                case esi::Step::Kind::literal:
                    list.push_back({document.bytes.substr(step.offset, step.length)});
                    break;
                case esi::Step::Kind::text:
                    list.push_back({step.text});
                    break;
                case esi::Step::Kind::emit:
                    list.push_back({{}, true, step.id});
                    break;
                case esi::Step::Kind::fetch:
                    fetch(document, step);
                    break;
                case esi::Step::Kind::open:
                    document.open.push_back(&document.place(step.id).instead);
                    break;
                case esi::Step::Kind::close:
                    document.open.back()->closed = true;
                    document.open.pop_back();
                    break;
                case esi::Step::Kind::page_error:
                    ngx_log_error(NGX_LOG_ERR, log(), 0,
                                  "larder: a fragment of \"%V\" failed and has no fallback: left out",
                                  &request_->uri);
                    break;
                case esi::Step::Kind::idle:
                    return;
                case esi::Step::Kind::done:
                    document.pieces.closed = true;
                    return;
            }
        }
    }

    void refuse(Document& document, const esi::Step& step, const char* why) {
        personal_ = true;
        ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: include \"%s\" of \"%V\" refused: %s",
                      esi::redact_url(step.text).c_str(), &request_->uri, why);
        document.assembler->outcome(step.id, false, 0);
    }

    void fetch(Document& document, const esi::Step& step) {
        const LocConf::Esi& limits = ctx_->conf->esi.value();
        if (document.depth > limits.depth)
            return refuse(document, step, "nested deeper than larder_esi depth=");
        std::string host = request_->headers_in.host != nullptr
                               ? std::string(view(request_->headers_in.host->value))
                               : std::string();
        esi::IncludeUrl url =
            esi::resolve_include_url(step.text, {environment_.scheme(), host, document.path});
        if (!url.ok()) return refuse(document, step, esi::to_text(url.refusal));
        Fetch* fetch = find_fetch(url.target);
        if (fetch == nullptr) {
            if (fetches_.size() >= limits.includes)
                return refuse(document, step, "more fragments than larder_esi includes=");
            fetch = start_fetch(url.target, step.attributes.maxwait_ms == esi::IncludeAttributes::unset
                                                ? limits.timeout
                                                : step.attributes.maxwait_ms);
            if (fetch == nullptr) return refuse(document, step, "no location answers it");
        }
        fetch->wanted.push_back({&document, step.id});
        if (fetch->counted) {  // it ended earlier: tell the newcomer too
            fetch->counted = false;
            ngx_post_event(&event_, &ngx_posted_events);
        }
    }

    Fetch* find_fetch(std::string_view target) {
        for (const auto& fetch : fetches_) {
            if (fetch->target == target) return fetch.get();
        }
        return nullptr;
    }

    Fetch* start_fetch(const std::string& target, ngx_msec_t timeout);

    // Tells the documents how their fetches ended, and starts what they want next, until nothing changes.
    void settle() {
        for (bool changed = true; changed;) {
            changed = false;
            for (std::size_t i = 0; i < fetches_.size(); i++) {
                Fetch& fetch = *fetches_[i];
                if (fetch.state == Fetch::State::pending || fetch.counted) continue;
                fetch.counted = true;
                changed = true;
                for (const Fetch::Wanted& wanted : std::exchange(fetch.wanted, {})) tell(fetch, wanted);
            }
        }
    }

    void tell(Fetch& fetch, const Fetch::Wanted& wanted) {
        Document& document = *wanted.document;
        bool good = fetch.state == Fetch::State::good;
        if (!document.assembler->outcome(wanted.id, good, fetch.status)) return;
        if (good) {
            Place& place = document.place(wanted.id);
            place.fetch = &fetch;
            if (!fetch.plan.empty()) {
                place.nested =
                    new_document(fetch.body, fetch.plan, fetch.target.substr(0, fetch.target.find('?')),
                                 document.depth + 1);
                run(*place.nested);
            }
        }
        run(document);
    }

    // ---- output

    bool append(std::string_view data) {
        if (data.empty()) return true;
        ngx_buf_t* buffer = memory_buffer(request_->pool, data);
        ngx_chain_t* link = buffer != nullptr ? ngx_alloc_chain_link(request_->pool) : nullptr;
        if (link == nullptr) return false;
        *link = {buffer, nullptr};
        *out_end_ = link;
        out_end_ = &link->next;
        last_buffer_ = buffer;
        return true;
    }

    // True when all of it is out.
    bool drain(Document& document, Pieces& pieces) {
        for (; pieces.sent < pieces.list.size(); pieces.sent++) {
            const Piece& piece = pieces.list[pieces.sent];
            if (!piece.is_place) {
                if (!append(piece.data)) throw std::bad_alloc();
                continue;
            }
            Place& place = document.place(piece.place);
            if (place.nested != nullptr) {
                if (!drain(*place.nested, place.nested->pieces)) return false;
            } else if (place.fetch != nullptr) {
                if (!append(place.fetch->body)) throw std::bad_alloc();
            } else if (!drain(document, place.instead)) {
                return false;
            }
        }
        return pieces.closed;
    }

    ngx_int_t send() {
        out_ = nullptr;
        out_end_ = &out_;
        last_buffer_ = nullptr;
        whole_ = drain(*root_, root_->pieces);
        if (last_buffer_ == nullptr) {
            if (!whole_) return NGX_OK;
            ngx_buf_t* end = memory_buffer(request_->pool, {});
            ngx_chain_t* link = end != nullptr ? ngx_alloc_chain_link(request_->pool) : nullptr;
            if (link == nullptr) return NGX_ERROR;
            *link = {end, nullptr};
            out_ = link;
            last_buffer_ = end;
        }
        if (whole_) {
            last_buffer_->last_buf = request_ == request_->main;
            last_buffer_->last_in_chain = 1;
        } else {
            last_buffer_->flush = 1;
        }
        return next_body_filter(request_, out_);
    }

    // The page as one text, while its parts are still what it was made from.
    void collect(Document& document, const Pieces& pieces, std::string& text) {
        for (const Piece& piece : pieces.list) {
            if (!piece.is_place) {
                text.append(piece.data);
                continue;
            }
            Place& place = document.place(piece.place);
            if (place.nested != nullptr)
                collect(*place.nested, place.nested->pieces, text);
            else if (place.fetch != nullptr)
                text.append(place.fetch->body);
            else
                collect(document, place.instead, text);
        }
    }

    void keep() {
        bool from_near = ctx_->role == Role::client && request_ == request_->main &&
                         ctx_->status == Status::hit && ctx_->hold != 0;
        if (!from_near || personal_) return;
        std::vector<near_cache::Zone::Part> parts;
        for (const auto& fetch : fetches_) {
            if (!fetch->part) return;
            parts.push_back(*fetch->part);
        }
        std::string text;
        collect(*root_, root_->pieces, text);
        keep_assembled_page(*ctx_, text, parts);
    }

    void work() {
        ngx_connection_t* c = request_->connection;
        settle();
        ngx_int_t rc = send();
        if (whole_) keep();
        if (whole_ || rc == NGX_ERROR) {
            request_->buffered &= 0xf & ~larder_buffered;
            waiting_ = false;
            ngx_http_finalize_request(request_, rc);  // `this` may be gone now
        } else {
            wait_for_client(request_);
        }
        ngx_http_run_posted_requests(c);
    }

    static void on_event(ngx_event_t* event) {
        auto* page = static_cast<Page*>(event->data);
        ngx_http_request_t* r = page->request_;
        ngx_connection_t* c = r->connection;
        bool done = guarded(event->log, "page assembly", false, [page] {
            page->work();
            return true;
        });
        if (done) return;
        ngx_http_finalize_request(r, NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }

    // Between two parts: what the client has not taken yet is its affair and has send_timeout, the fragments have times of
    // their own.
    static void wait_for_client(ngx_http_request_t* r) {
        ngx_connection_t* c = r->connection;
        if (r != c->data) return;  // another part of the answer is being sent
        r->write_event_handler = on_writable;
        if (c->write->delayed) return;  // by limit_rate
        if (!c->buffered) {
            if (c->write->timer_set) ngx_del_timer(c->write);
            return;
        }
        auto* core =
            static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
        ngx_add_timer(c->write, core->send_timeout);
        if (ngx_handle_write_event(c->write, core->send_lowat) != NGX_OK)
            ngx_http_finalize_request(r, NGX_ERROR);
    }

    static void on_writable(ngx_http_request_t* r) {
        ngx_connection_t* c = r->connection;
        if (c->write->timedout) {
            ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
            c->timedout = 1;
            return ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        }
        if (!c->write->delayed && ngx_http_output_filter(r, nullptr) == NGX_ERROR)
            return ngx_http_finalize_request(r, NGX_ERROR);
        wait_for_client(r);
    }

    static void on_timeout(ngx_event_t* event) {
        auto* fetch = static_cast<Fetch*>(event->data);
        ngx_log_error(NGX_LOG_WARN, event->log, 0,
                      "larder: fragment \"%s\" took too long: going on without it",
                      esi::redact_url(fetch->target).c_str());
        fetch->page->ended(*fetch, Fetch::State::failed, 0);
    }

    static ngx_int_t on_fragment_end(ngx_http_request_t* r, void* data, ngx_int_t rc);

    bool shares(ngx_http_request_t* fragment, const Ctx* fragment_ctx) const {
        return is_shared_part(*ctx_->conf, fragment, *fragment_ctx->conf);
    }

    ngx_http_request_t* request_;
    Ctx* ctx_;
    RequestEnvironment environment_;
    esi::AssembleLimits limits_;
    std::unique_ptr<Document> root_;
    std::vector<std::unique_ptr<Fetch>> fetches_;
    ngx_event_t event_{};
    bool waiting_ = false;
    bool personal_ = false;  // not the same for all who share the page's key, or not as it should be
    bool whole_ = false;
    ngx_chain_t* out_ = nullptr;
    ngx_chain_t** out_end_ = &out_;
    ngx_buf_t* last_buffer_ = nullptr;
};

// The fragment is over, one way or another: its answer is what it was served from, or what was captured, or what we had.
ngx_int_t Page::on_fragment_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {
    auto* fetch = static_cast<Fetch*>(data);
    Ctx* ctx = ctx_of(r);
    Fill* fill = ctx != nullptr ? ctx->fill.get() : nullptr;
    if (fill != nullptr) restore_request(r, ctx);
    if (ctx != nullptr) end_fill_lock(ctx);
    std::uint16_t status = fill != nullptr && fill->status != 0
                               ? fill->status
                               : static_cast<std::uint16_t>(rc >= 400 && rc < 600 ? rc : 0);
    bool captured = fill != nullptr && fill->complete && fill->for_page && rc == NGX_OK &&
                    fill->status >= 200 && fill->status < 300;
    bool failed_with_stale =
        ctx != nullptr && !ctx->served && !captured && ctx->servable() && (status == 0 || status >= 500);
    if (failed_with_stale) {
        ctx->served = true;
        ctx->status = Status::error_stale;
        fragment_from_entry(ctx);
    }
    if (ctx != nullptr && ctx->served) {
        const EntryHead head = EntryView::trusted(ctx->entry).head();
        std::uint16_t entry_status = head.status;
        bool varies = ctx->varied || head.vary_size != 0;  // on what the page's key need not hold
        bool good = entry_status >= 200 && entry_status < 300;
        bool fresh = ctx->status == Status::hit && ctx->hold != 0;
        if (fresh && !varies && fetch->page->shares(r, ctx)) fetch->part = {ctx->key, ctx->version};
        fetch->page->ended(*fetch, good ? Fetch::State::good : Fetch::State::failed, entry_status);
    } else if (captured) {
        if (fetch->state == Fetch::State::pending) {
            fetch->body = fill->body;
            fetch->plan = fill->plan;
        }
        fetch->page->ended(*fetch, Fetch::State::good, status);
    } else {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: fragment \"%V\" failed with status %ui",
                      &r->uri, static_cast<ngx_uint_t>(status));
        fetch->page->ended(*fetch, Fetch::State::failed, status);
    }
    return NGX_OK;  // nginx need not make an error page of it
}

Fetch* Page::start_fetch(const std::string& target, ngx_msec_t timeout) {
    ngx_str_t uri = copy(request_->pool, target);
    ngx_str_t args = ngx_null_string;
    ngx_uint_t flags = 0;
    if (uri.data == nullptr) throw std::bad_alloc();
    if (ngx_http_parse_unsafe_uri(request_, &uri, &args, &flags) != NGX_OK) return nullptr;
    auto fetch = std::make_unique<Fetch>();
    fetch->page = this;
    fetch->target = target;
    auto* after = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(request_->pool, sizeof(ngx_http_post_subrequest_t)));
    if (after == nullptr) throw std::bad_alloc();
    after->handler = [](ngx_http_request_t* r, void* data, ngx_int_t rc) {
        return guarded(r->connection->log, "end of fragment", static_cast<ngx_int_t>(NGX_OK),
                       [&] { return on_fragment_end(r, data, rc); });
    };
    after->data = fetch.get();
    ngx_http_request_t* subrequest;
    if (ngx_http_subrequest(request_, &uri, &args, &subrequest, after, NGX_HTTP_SUBREQUEST_BACKGROUND) !=
        NGX_OK)
        return nullptr;
    Ctx* ctx = new_ctx(subrequest, nullptr, Role::fragment);
    ctx->fetch = fetch.get();
    fetch->timer.handler = on_timeout;
    fetch->timer.data = fetch.get();
    fetch->timer.log = request_->connection->log;
    ngx_add_timer(&fetch->timer, std::max<ngx_msec_t>(timeout, 1));
    fetches_.push_back(std::move(fetch));
    return fetches_.back().get();
}

void fragment_from_entry(Ctx* ctx) {
    EntryView entry = EntryView::trusted(ctx->entry);
    ctx->fetch->body = entry.body();
    ctx->fetch->plan = entry.plan();
}

ngx_int_t start_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan) {
    return make<Page>(r->pool, r, ctx, document, plan)->start();
}

}  // namespace larder::ngx
