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
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/page/assembled.hpp"
#include "ngx_module/page/compile.hpp"
#include "ngx_module/page/environment.hpp"
#include "ngx_module/page/late.hpp"
#include "ngx_module/page/page_header.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/subrequest.hpp"
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
    std::string location;     // where it is now: the target, or where that redirected to
    std::string redirect_to;  // still to be asked
    unsigned redirects = 0;
    esi::IncludeAttributes attributes;  // of the first include that wants it
    // For the page's header: what it says itself, its age, how long it is still fresh here (seconds).
    CacheDirectives said;
    std::int64_t age_s = 0, fresh_left_s = 0;
    bool is_private = false;
    bool purged = false;  // it is older than a purge of it
    State state = State::pending;
    std::uint16_t status = 0;
    std::string_view body, plan;
    std::vector<Wanted> wanted;
    Event timer;
    bool counted = false;  // its end was told to those who want it
    std::optional<near_cache::Zone::Part>
        part;  // a fresh entry of the near cache, the same for all who share the page

    static constexpr const char* name = "timer of a fragment";
    void on_timeout();
    void failed() noexcept;
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
    std::string_view bytes, plan;
    std::string path;
    unsigned depth;
    std::optional<esi::Assembler> assembler;  // none: no markup
    Pieces pieces;
    std::deque<Place> places;
    std::vector<Pieces*> open;

    Document(std::string_view document, std::string_view document_plan, std::string document_path,
             unsigned document_depth, esi::Environment& environment, const esi::AssembleLimits& limits)
        : bytes(document), plan(document_plan), path(std::move(document_path)), depth(document_depth) {
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
        event_.bind<&Page::work>(this, r->connection->log);
        total_.bind<&Page::on_total>(this, r->connection->log);
    }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    ngx_int_t start() {
        give_cookie(request_, ctx_, root_->plan);
        run(*root_);
        if (root_->pieces.closed && fetches_.empty()) {
            end();
            return send();
        }
        request_->write_event_handler = ngx_http_request_empty_handler;
        if (request_ == request_->main && ctx_->fill == nullptr)
            request_->read_event_handler = ngx_http_test_reading;
        wake();
        total_.start_timer(ctx_->conf->esi.value().total);
        return NGX_DONE;
    }

    // A page ends once. Whatever still runs for it, or was to run, finds it over.
    void end() {
        over_ = true;
        event_.cancel();
        total_.cancel();
        for (const auto& fetch : fetches_) fetch->timer.cancel();
    }
    bool over() const { return over_; }
    ngx_log_t* log() const { return request_->connection->log; }

    // What the fragment's answer means for the page's header.
    void note(Fetch& fetch, ngx_http_request_t* r, const Ctx* ctx) {
        if (ctx == nullptr) return;
        fetch.is_private = ctx->personal;
        fetch.purged = ctx->answers_purged();
        if (ctx->served) {
            EntryView entry = EntryView::trusted(ctx->entry);
            const Lifetime& life = entry.head().life;
            fetch.age_s = std::max<std::int64_t>(0, (now_ms() - life.base_ms) / 1000);
            fetch.said = control_of(entry, fetch.age_s);
            bool stale = ctx->status == Status::stale || ctx->status == Status::error_stale;
            fetch.fresh_left_s = stale ? 0 : (life.base_ms + life.fresh_ms - now_ms()) / 1000;
        } else if (ctx->fill != nullptr && ctx->fill->complete) {
            const Fill& fill = *ctx->fill;
            fetch.said = control_of(r, 0);
            fetch.fresh_left_s = fill.decision.store ? fill.decision.life.fresh_ms / 1000 : 0;
            // It was asked for with all that the visitor sent, or sets a cookie: it may be the visitor's own.
            fetch.is_private = fetch.is_private || !fill.decision.store || ctx->status == Status::pass ||
                               ctx->status == Status::bypass;
            take_cookies(r);
        }
    }

    void take_cookies(ngx_http_request_t* r) {
        const auto& names = ctx_->conf->esi_set_cookies.value();
        if (names.empty()) return;
        each_response_header(r, [&](const ngx_table_elt_t& header) {
            std::string_view value = view(header.value);
            std::string_view cookie = value.substr(0, value.find_first_of("=;"));
            if (header.hash != 0 && equals(header.key, "set-cookie") &&
                std::find(names.begin(), names.end(), cookie) != names.end())
                cookies_.emplace_back(value);
        });
    }

    // Its answer leads somewhere else. False: it may not, or has done so too often.
    bool redirect(Fetch& fetch, std::string_view location) {
        constexpr unsigned most_redirects = 5;
        if (fetch.state != Fetch::State::pending) return true;  // it was given up before
        esi::IncludeUrl url = resolve(location, fetch.location.substr(0, fetch.location.find('?')));
        bool good = url.ok() && ++fetch.redirects <= most_redirects;
        if (!good) {
            ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: fragment \"%s\" of \"%V\" redirects to \"%s\": %s",
                          esi::redact_url(fetch.target).c_str(), &request_->uri,
                          esi::redact_url(location).c_str(),
                          url.ok() ? "more than 5 redirects" : esi::to_text(url.refusal));
            return false;
        }
        fetch.redirect_to = url.target;
        wake();
        return true;
    }

    void ended(Fetch& fetch, Fetch::State state, std::uint16_t status) {
        if (fetch.state != Fetch::State::pending) return;  // it was given up before
        if (state == Fetch::State::failed && fetch.attributes.late_client) {
            // The browser fetches it.
            fetch.body = view(copy(request_->pool, late_placeholder(fetch.target)));
            state = Fetch::State::good;
            personal_ = true;  // not as it should be
        }
        fetch.state = state;
        fetch.status = status;
        fetch.timer.cancel();
        wake();
    }

    static constexpr const char* name = "page assembly";
    void failed() noexcept {
        if (over_) return;  // nginx has it back
        ngx_connection_t* c = request_->connection;
        finish(NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }

private:
    // Looks at the page once more, after all of this turn.
    void wake() {
        if (!over_) event_.post();
    }

    // Gives the request back to nginx: `this` may be gone then.
    void finish(ngx_int_t rc) {
        end();
        request_->buffered &= 0xf & ~larder_buffered;
        ngx_http_finalize_request(request_, rc);
    }

    std::unique_ptr<Document> new_document(std::string_view bytes, std::string_view plan, std::string path,
                                           unsigned depth) {
        if (!plan.empty() && esi::PlanView::trusted(plan).reads() != esi::Reads{}) personal_ = true;
        if (root_ != nullptr && !plan.empty()) reads_visitor_ = reads_visitor_ || reads_visitor(plan);
        return std::make_unique<Document>(bytes, plan, std::move(path), depth, environment_, limits_);
    }

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

    esi::IncludeUrl resolve(std::string_view reference, const std::string& base_path) {
        return esi::resolve_include_url(reference, {environment_.scheme(), environment_.host(), base_path});
    }

    void fetch(Document& document, const esi::Step& step) {
        const LocConf::Esi& limits = ctx_->conf->esi.value();
        if (document.depth > limits.depth)
            return refuse(document, step, "nested deeper than larder_esi depth=");
        if (out_of_time_) return refuse(document, step, "the page has no time left");
        // Each place counts, also of a fragment that is here already: documents that include each other multiply by places.
        if (places_ >= limits.includes)
            return refuse(document, step, "more includes than larder_esi includes=");
        places_++;
        esi::IncludeUrl url = resolve(step.text, document.path);
        if (!url.ok()) return refuse(document, step, esi::to_text(url.refusal));
        Fetch* fetch = find_fetch(url.target);
        if (fetch == nullptr) {
            if (auto part = inline_part(document, url.target)) {
                fetch = part;
            } else {
                fetch = start_fetch(url.target, step.attributes);
            }
            if (fetch == nullptr) return refuse(document, step, "no location answers it");
        }
        fetch->wanted.push_back({&document, step.id});
        if (fetch->counted) {  // it ended earlier: tell the newcomer too
            fetch->counted = false;
            wake();
        }
    }

    Fetch* find_fetch(std::string_view target) {
        for (const auto& fetch : fetches_) {
            if (fetch->target == target) return fetch.get();
        }
        return nullptr;
    }

    Fetch* start_fetch(const std::string& target, const esi::IncludeAttributes& attributes);
    bool ask(Fetch& fetch, const std::string& target);

    // <esi:inline name=...> of the same document: the fragment is here already.
    Fetch* inline_part(const Document& document, const std::string& target) {
        if (document.plan.empty()) return nullptr;
        esi::PlanView plan = esi::PlanView::trusted(document.plan);
        for (std::uint32_t i = 0; i < plan.inline_count(); i++) {
            esi::Inline part = plan.inline_fragment(i);
            if (part.name != target) continue;
            auto fetch = std::make_unique<Fetch>();
            fetch->page = this;
            fetch->target = fetch->location = target;
            fetch->body = document.bytes.substr(part.offset, part.length);
            fetch->plan = compiled(fetch->body);
            fetch->state = Fetch::State::good;
            fetches_.push_back(std::move(fetch));
            wake();
            return fetches_.back().get();
        }
        return nullptr;
    }

    // Of a part that nobody compiled before; in the request's pool.
    std::string_view compiled(std::string_view document) {
        return view(copy(request_->pool, compile_document(request_, *ctx_->conf, document)));
    }

    // Asks for what redirects lead to.
    void follow() {
        for (std::size_t i = 0; i < fetches_.size(); i++) {
            Fetch& fetch = *fetches_[i];
            if (fetch.redirect_to.empty() || fetch.state != Fetch::State::pending) continue;
            fetch.location = std::exchange(fetch.redirect_to, {});
            if (!ask(fetch, fetch.location)) ended(fetch, Fetch::State::failed, 0);
        }
    }

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
            // The same fragment may be wanted as a page of fragments here, and as it is there.
            if (fetch.plan.empty() && fetch.attributes.process) fetch.plan = compiled(fetch.body);
            if (!fetch.plan.empty()) {
                place.nested =
                    new_document(fetch.body, fetch.plan, fetch.location.substr(0, fetch.location.find('?')),
                                 document.depth + 1);
                run(*place.nested);
            }
        }
        run(document);
    }

    // ---- output

    bool append(std::string_view data) {
        std::size_t room = ctx_->conf->esi.value().output - std::min(sent_, ctx_->conf->esi.value().output);
        if (data.size() > room) {
            if (!cut_)
                ngx_log_error(NGX_LOG_ERR, log(), 0,
                              "larder: \"%V\" is longer than larder_esi output=: cut off", &request_->uri);
            cut_ = personal_ = true;
            data = data.substr(0, room);
        }
        if (data.empty()) return true;
        sent_ += data.size();
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

    // What those behind us may do with the page, as far as its parts are known.
    PartsControl control() const {
        PartsControl control;
        for (const auto& fetch : fetches_) {
            if (fetch->state == Fetch::State::pending) {
                control.add_unknown();
                continue;
            }
            control.add(fetch->said, fetch->age_s, fetch->fresh_left_s);
            if (fetch->is_private) control.add_private();
            if (fetch->purged) control.add_purged(ctx_->conf->stale.value().purged_s);
        }
        if (reads_visitor_) control.add_private();
        return control;
    }

    // Cookies of fragments, where the operator wants them to reach visitors.
    void add_cookies() {
        for (const std::string& cookie : cookies_) {
            if (add_response_header(request_, ngx_string("Set-Cookie"), copy(request_->pool, cookie)) ==
                nullptr)
                throw std::bad_alloc();
        }
    }

    // The header can't leave while a fragment may still set a cookie that the operator wants in it.
    bool waits_for_cookies() const {
        return !ctx_->conf->esi_set_cookies.value().empty() &&
               std::any_of(fetches_.begin(), fetches_.end(),
                           [](const auto& fetch) { return fetch->state == Fetch::State::pending; });
    }

    ngx_int_t send() {
        if (!request_->header_sent) {
            if (waits_for_cookies()) return NGX_OK;
            add_cookies();
            ngx_int_t rc = send_page_header(request_, ctx_, root_->plan, control());
            if (rc == NGX_ERROR || rc > NGX_OK) return rc;
        }
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
                         ctx_->status == Status::hit && ctx_->hold != 0 && !ctx_->session;
        if (!from_near || personal_) return;
        std::vector<near_cache::Zone::Part> parts;
        for (const auto& fetch : fetches_) {
            if (!fetch->part) return;
            parts.push_back(*fetch->part);
        }
        std::string text;
        collect(*root_, root_->pieces, text);
        EntryView page = EntryView::trusted(ctx_->entry);
        std::int64_t age_s = page_age_s(ctx_);
        keep_assembled_page(*ctx_, text, control().value(control_of(page, age_s), age_s), parts);
    }

    void work() {
        ngx_connection_t* c = request_->connection;
        follow();
        settle();
        ngx_int_t rc = send();
        if (whole_) keep();
        if (whole_ || rc == NGX_ERROR || rc > NGX_OK) {
            finish(rc);
        } else {
            wait_for_client(request_);
        }
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

    // All of the page has taken too long: what is not there by now is left out.
    void on_total() {
        ngx_log_error(NGX_LOG_WARN, log(), 0,
                      "larder: \"%V\" took longer than larder_esi total=: going on without the rest",
                      &request_->uri);
        out_of_time_ = true;
        for (const auto& fetch : fetches_) ended(*fetch, Fetch::State::failed, 0);
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
    Event event_, total_;
    std::size_t sent_ = 0;    // bytes
    std::size_t places_ = 0;  // of includes, in the page and all that is nested in it
    bool out_of_time_ = false, cut_ = false;
    bool reads_visitor_ = false;  // a fragment does, not only the page itself
    std::vector<std::string> cookies_;
    bool over_ = false;
    bool personal_ = false;  // not the same for all who share the page's key, or not as it should be
    bool whole_ = false;
    ngx_chain_t* out_ = nullptr;
    ngx_chain_t** out_end_ = &out_;
    ngx_buf_t* last_buffer_ = nullptr;
};

// Where the answer of a fragment leads; empty if it is no redirect.
static std::string_view redirect_location(ngx_http_request_t* r, const Ctx* ctx, std::uint16_t status) {
    bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!redirects || ctx == nullptr) return {};
    if (ctx->served) return EntryView::trusted(ctx->entry).header("Location");
    std::string_view found;
    each_response_header(r, [&found](const ngx_table_elt_t& header) {
        if (equals(header.key, "location")) found = view(header.value);
    });
    return found;
}

// The fragment is over, one way or another.
ngx_int_t Page::on_fragment_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {
    auto* fetch = static_cast<Fetch*>(data);
    Ctx* ctx = ctx_of(r);
    OwnAnswer answer = own_answer(r, ctx, rc);
    if (fetch->page->over()) return NGX_OK;  // the page went out without it
    fetch->page->note(*fetch, r, ctx);
    std::string_view location = redirect_location(r, ctx, answer.status);
    if (!location.empty() && fetch->page->redirect(*fetch, location)) return NGX_OK;
    if (answer.good && fetch->state == Fetch::State::pending) {
        fetch->body = answer.body;
        fetch->plan = answer.plan;
    }
    if (ctx != nullptr && ctx->served) {
        std::uint32_t vary_size = EntryView::trusted(ctx->entry).head().vary_size;
        bool varies = ctx->varied || vary_size != 0;  // on what the page's key need not hold
        bool fresh = ctx->status == Status::hit && ctx->hold != 0;
        if (fresh && !varies && fetch->page->shares(r, ctx)) fetch->part = {ctx->key, ctx->version};
    } else if (!answer.good) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: fragment \"%V\" failed with status %ui",
                      &r->uri, static_cast<ngx_uint_t>(answer.status));
    }
    fetch->page->ended(*fetch, answer.good ? Fetch::State::good : Fetch::State::failed, answer.status);
    return NGX_OK;  // nginx need not make an error page of it
}

// A subrequest for the fragment, or for where it redirects to. False: no location answers it.
bool Page::ask(Fetch& fetch, const std::string& target) {
    auto ended = [](ngx_http_request_t* r, void* data, ngx_int_t rc) {
        return guarded(r->connection->log, "end of fragment", static_cast<ngx_int_t>(NGX_OK),
                       [&] { return on_fragment_end(r, data, rc); });
    };
    Ctx* ctx = ask_location(request_, target, ended, &fetch);
    if (ctx == nullptr) return false;
    ctx->fetch = &fetch;
    ctx->at_hand_only = fetch.attributes.maxwait_ms == 0;
    if (fetch.attributes.no_store) ctx->no_store = "esi-no-store";
    return true;
}

Fetch* Page::start_fetch(const std::string& target, const esi::IncludeAttributes& attributes) {
    auto fetch = std::make_unique<Fetch>();
    fetch->page = this;
    fetch->target = fetch->location = target;
    fetch->attributes = attributes;
    Fetch& owned = *fetches_.emplace_back(std::move(fetch));  // before nginx knows of it
    if (!ask(owned, target)) {
        fetches_.pop_back();
        return nullptr;
    }
    bool limited = attributes.maxwait_ms != esi::IncludeAttributes::unset;
    ngx_msec_t timeout = limited ? attributes.maxwait_ms : ctx_->conf->esi.value().timeout;
    owned.timer.bind<&Fetch::on_timeout>(&owned, request_->connection->log);
    // What is at hand comes before the timer: that is of the next turn.
    owned.timer.start_timer(std::max<ngx_msec_t>(timeout, 1));
    return &owned;
}

void Fetch::on_timeout() {
    ngx_log_error(NGX_LOG_WARN, page->log(), 0, "larder: fragment \"%s\" took too long: going on without it",
                  esi::redact_url(target).c_str());
    page->ended(*this, State::failed, 0);
}

void Fetch::failed() noexcept {
    page->failed();
}

void apply_include(Ctx* ctx) {
    if (ctx->fetch == nullptr || ctx->fetch->attributes.ttl_s == esi::IncludeAttributes::unset) return;
    Policy& policy = ctx->own_policy.emplace(ctx->conf->policy);
    if (policy.valid.size() == max_valid_rules) policy.valid.pop_back();
    policy.valid.insert(policy.valid.begin(), ValidRule{0, ctx->fetch->attributes.ttl_s});
}

ngx_int_t start_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan) {
    Page* page = make<Page>(r->pool, r, ctx, document, plan);
    try {
        return page->start();
    } catch (...) {
        page->end();  // the caller ends the request
        throw;
    }
}

}  // namespace larder::ngx
