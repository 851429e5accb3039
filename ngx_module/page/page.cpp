// The host of the ESI assembler: it carries out its steps with nginx's subrequests and buffers.
//
// Subrequests run in the background (they don't take part in nginx's own ordering of output): their answers are captured by
// fill.cpp or come from entries, and what goes out when is decided here. Work is batched: whatever ends in one turn of the
// event loop is looked at once, after all of that turn, so a page whose fragments are all at hand leaves in one write, and
// one that has to wait sends what it has just before it waits.
#include "ngx_module/page/page.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "edge_includes/page_tree.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/page/assembled.hpp"
#include "ngx_module/request/answer_compiler.hpp"
#include "ngx_module/page/environment.hpp"
#include "ngx_module/page/late.hpp"
#include "ngx_module/page/output.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/page/reach.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/subrequest.hpp"
#include "ngx_module/text.hpp"
#include "ngx_module/turn.hpp"

namespace larder::ngx {

class Page;

// One URL being fetched for a page; several places may want it.
struct Fetch final : Include {
    Page* page = nullptr;
    esi::FetchId id = 0;
    bool pending = true;
    Ctx* running = nullptr;  // the subrequest for it, until that ends
    std::string_view target;
    std::string_view location;  // where it is now: the target, or where that redirected to
    std::string redirect_to;    // still to be asked
    unsigned redirects = 0;
    esi::IncludeAttributes attributes;  // of the first include that wants it
    // For the page's header: what it says itself, its age, how long it is still fresh here (seconds).
    CacheDirectives said;
    std::int64_t age_s = 0, fresh_left_s = 0;
    bool is_private = false;
    bool purged = false;  // it is older than a purge of it
    Event timer;
    std::optional<near_cache::Zone::Part>
        part;  // a fresh entry of the near cache, the same for all who share the page

    bool has_room(std::size_t size) override;
    bool has_client() const override;
    bool waits() const override { return attributes.maxwait_ms != 0; }
    std::optional<std::uint32_t> ttl_s() const override;
    bool is_out_of_reach(ngx_http_request_t* r) const override;

    static constexpr const char* event_name = "timer of a fragment";
    void on_timeout();
    void failed() noexcept;
};

static esi::PageLimits limits_of(const LocConf::Esi& esi) {
    esi::PageLimits limits;
    limits.depth = esi.depth;
    limits.includes = esi.includes;
    limits.output = esi.output;
    limits.budget.memory = esi.memory;
    return limits;
}

class Page : public esi::PageHost {
public:
    Page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan)
        : request_(r),
          ctx_(ctx),
          environment_(r, ctx),
          plan_(plan),
          tree_(document, plan, std::string(view(r->uri)), environment_, *this, limits_of(ctx->conf->esi.value()),
                compile_options(r, *ctx->conf)),
          fetches_(&tree_.budget().memory()),
          reader_(tree_),
          output_(r, tree_.budget().memory()) {
        if (!plan.empty() && esi::PlanView::trusted(plan).reads() != esi::Reads{}) personal_ = true;
        place_.bind<&Page::work>(this, r->connection->log);
        total_.bind<&Page::on_total>(this, r->connection->log);
    }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    ngx_int_t start() {
        give_cookie(request_, ctx_, plan_);
        std::uint64_t slice = next_slice();
        bool more = !run(slice);
        ngx_int_t rc = NGX_OK;
        if (!more && fetches_.empty()) rc = send();
        spend_turn(slice - tree_.budget().slice_left());
        if (whole_ || rc == NGX_ERROR || rc > NGX_OK) {
            end();
            return rc;
        }
        ctx_->page = this;
        request_->write_event_handler = ngx_http_request_empty_handler;
        if (has_client() && ctx_->fill == nullptr) request_->read_event_handler = on_readable;  // never throws
        wake();
        total_.start_timer(ctx_->conf->esi.value().total);
        return NGX_DONE;
    }

    // A page ends once. Whatever still runs for it, or was to run, finds it over.
    void end() {
        over_ = true;
        place_.leave();
        total_.cancel();
        each_fetch([this](Fetch& fetch) {
            fetch.timer.cancel();
            if (fetch.running == nullptr) return;
            guarded(log(), "abandoned fragment", 0, [&fetch] {
                abandon(fetch.running);
                return 0;
            });
        });
    }
    bool over() const { return over_; }
    bool left() const { return left_; }
    // A fragment of it has ended after its client had left.
    void ended_unseen() { wake(); }
    ngx_log_t* log() const { return request_->connection->log; }

    // What the fragment's answer means for the page's header.
    void note(Fetch& fetch, ngx_http_request_t* r, const Ctx* ctx) {
        if (ctx == nullptr) return;
        fetch.is_private = ctx->personal;
        fetch.purged = ctx->answers_purged();
        if (ctx->is_served()) {
            EntryView entry = ctx->entry.view();
            const Lifetime& life = entry.head().life;
            fetch.age_s = std::max<std::int64_t>(0, (now_ms() - life.base_ms) / 1000);
            fetch.said = control_of(entry, fetch.age_s);
            bool stale = ctx->status == Status::stale || ctx->status == Status::error_stale;
            fetch.fresh_left_s = stale ? 0 : (life.base_ms + life.fresh_ms - now_ms()) / 1000;
        } else if (ctx->fill != nullptr && ctx->fill->is_complete()) {
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
        if (!fetch.pending) return true;  // it was given up before
        esi::IncludeUrl url = tree_.resolve(location, fetch.location.substr(0, fetch.location.find('?')));
        bool named = url.ok() && may_include(request_, ctx_->conf->esi_includes.value(), url.target);
        bool good = named && ++fetch.redirects <= most_redirects;
        if (!good) {
            ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: fragment \"%s\" of \"%V\" redirects to \"%s\": %s",
                          esi::redact_url(fetch.target).c_str(), &request_->uri,
                          esi::redact_url(location).c_str(),
                          !url.ok() ? esi::to_text(url.refusal)
                          : named   ? "more than 5 redirects"
                                    : "larder_esi_include does not name its path");
            return false;
        }
        fetch.redirect_to = url.target;
        wake();
        return true;
    }

    void lost(Fetch& fetch, std::uint16_t status) {
        if (!fetch.pending) return;  // it was given up before
        if (fetch.attributes.late_client) {
            // The browser fetches it.
            personal_ = true;  // not as it should be
            return arrived(fetch, view(copy(request_->pool, late_placeholder(fetch.target))), {});
        }
        tree_.failed(fetch.id, status);
        ended(fetch);
    }

    void arrived(Fetch& fetch, std::string_view body, std::string_view plan) {
        if (!fetch.pending) return;  // it was given up before
        tree_.arrived(fetch.id, body, plan, fetch.location);
        ended(fetch);
    }

    // Whether fragments are limited to what the page's visitor could ask for.
    bool confines() const { return ctx_->conf->esi_includes.value().empty(); }

    // Whether so much more of a fragment may be held in memory.
    bool has_room(const Fetch& fetch, std::size_t size) {
        esi::PageMemory& memory = tree_.budget().memory();
        if (memory.fits(size)) return memory.add(size), true;
        ngx_log_error(NGX_LOG_ERR, log(), 0,
                      "larder: no room for fragment \"%s\" of \"%V\" within larder_esi memory=%uz: left out",
                      esi::redact_url(fetch.target).c_str(), &request_->uri, ctx_->conf->esi.value().memory);
        return false;
    }

    // ---- what the page asks of us

    const char* fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes) override {
        if (out_of_time_) return "the page has no time left";
        if (!may_include(request_, ctx_->conf->esi_includes.value(), target)) return "larder_esi_include does not name its path";
        return start_fetch(id, target, attributes) ? nullptr : "no location answers it";
    }

    void refused(std::string_view url, const char* why) override {
        personal_ = true;
        if (++refused_ > most_logged) return;
        ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: include \"%s\" of \"%V\" refused: %s",
                      esi::redact_url(url).c_str(), &request_->uri, why);
    }

    void left_out() override {
        if (++left_out_ > most_logged) return;
        ngx_log_error(NGX_LOG_ERR, log(), 0, "larder: a fragment of \"%V\" failed and has no fallback: left out",
                      &request_->uri);
    }

    void uses(std::string_view plan) override {
        if (esi::PlanView::trusted(plan).reads() != esi::Reads{}) personal_ = true;
        reads_visitor_ = reads_visitor_ || reads_visitor(plan);
    }

    void reported(const esi::Report& report) override { log_report(request_, report); }

    static constexpr const char* event_name = "page assembly";
    void failed() noexcept {
        if (over_) return;  // nginx has it back
        ngx_connection_t* c = request_->connection;
        finish(NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }

private:
    // Looks at the page once more, after all of this turn.
    void wake() {
        if (!over_) place_.enter();
    }

    // Gives the request back to nginx: `this` may be gone then.
    void finish(ngx_int_t rc) {
        end();
        request_->buffered &= 0xf & ~larder_buffered;
        ngx_http_finalize_request(request_, rc);
    }

    template <typename F>
    void each_fetch(F f) const {
        for (const auto& fetch : fetches_) {
            if (fetch != nullptr) f(*fetch);
        }
    }

    void ended(Fetch& fetch) {
        fetch.pending = false;
        fetch.timer.cancel();
        wake();
    }

    // False when the slice is over, and there is more to do.
    bool run(std::uint64_t slice) {
        tree_.budget().begin_slice(slice);
        return tree_.run();
    }

    bool start_fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes);
    bool ask(Fetch& fetch, std::string_view target);

    // Asks for what redirects lead to.
    void follow() {
        for (const auto& fetch : fetches_) {
            if (fetch == nullptr || fetch->redirect_to.empty() || !fetch->pending) continue;
            fetch->location = tree_.budget().memory().copy(std::exchange(fetch->redirect_to, {}));
            if (!ask(*fetch, fetch->location)) lost(*fetch, 0);
        }
    }

    // ---- output

    // What those behind us may do with the page, as far as its parts are known.
    PartsControl control() const {
        PartsControl control;
        each_fetch([&](const Fetch& fetch) {
            if (fetch.pending) return control.add_unknown();
            control.add(fetch.said, fetch.age_s, fetch.fresh_left_s);
            if (fetch.is_private) control.add_private();
            if (fetch.purged) control.add_purged(ctx_->conf->stale.value().purged_s);
        });
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
                           [](const auto& fetch) { return fetch != nullptr && fetch->pending; });
    }

    ngx_int_t send() {
        if (!request_->header_sent) {
            if (waits_for_cookies()) return NGX_OK;
            add_cookies();
            ngx_int_t rc = send_page_header(request_, ctx_, plan_, control());
            if (rc == NGX_ERROR || rc > NGX_OK) return rc;
        }
        using Kind = esi::PageTree::Output::Kind;
        esi::PageTree::Output next;
        while ((next = reader_.next()).kind == Kind::text) {
            sent_ += next.text.size();
            output_.append(next.text);
        }
        paused_ = next.kind == Kind::pause;
        whole_ = next.kind == Kind::end;
        if (whole_) note_limits();
        return output_.send(whole_);
    }

    // Says what the page lacks because of a limit.
    void note_limits() {
        if (refused_ > most_logged || left_out_ > most_logged)
            ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: \"%V\": in all, %ui includes were refused, %ui fragments left out",
                          &request_->uri, refused_, left_out_);
        static constexpr const char* cuts[] = {
            "", "is longer than larder_esi output=", "needs more memory than larder_esi memory="};
        static constexpr const char* losses[] = {
            "", "has an expression that takes more work than one may: it has no value",
            "needs more memory than larder_esi memory=: values are lost",
            "takes more work than a page may: values and fragments are lost"};
        esi::Cut cut = tree_.cut();
        esi::Exceeded exceeded = tree_.budget().exceeded();
        if (cut == esi::Cut::no && exceeded == esi::Exceeded::nothing) return;
        personal_ = true;
        if (cut != esi::Cut::no) {
            ngx_log_error(NGX_LOG_ERR, log(), 0, "larder: \"%V\" %s: cut off", &request_->uri,
                          cuts[static_cast<std::size_t>(cut)]);
        } else {
            ngx_log_error(NGX_LOG_WARN, log(), 0, "larder: \"%V\" %s", &request_->uri,
                          losses[static_cast<std::size_t>(exceeded)]);
        }
    }

    // The page as one text, while its parts are still what it was made from.
    void keep() {
        bool from_near = ctx_->role == Role::client && request_ == request_->main &&
                         ctx_->status == Status::hit && ctx_->entry.is_held() && !ctx_->session;
        if (!from_near || personal_ || sent_ > ctx_->policy().max_body) return;
        std::vector<near_cache::Zone::Part> parts;
        bool all = true;
        each_fetch([&](const Fetch& fetch) {
            all = all && fetch.part;
            if (all) parts.push_back(*fetch.part);
        });
        if (!all) return;
        std::string text;
        text.reserve(sent_);
        tree_.budget().begin_slice(UINT64_MAX);
        esi::PageTree::Reader reader(tree_);
        for (esi::PageTree::Output next = reader.next(); next.kind == esi::PageTree::Output::Kind::text; next = reader.next())
            text.append(next.text);
        EntryView page = ctx_->entry.view();
        std::int64_t age_s = page_age_s(ctx_);
        keep_assembled_page(*ctx_, text, control().value(control_of(page, age_s), age_s), parts);
    }

    void work() {
        ngx_connection_t* c = request_->connection;
        if (left_) {
            go_on_without_client();
            return ngx_http_run_posted_requests(c);
        }
        std::uint64_t slice = next_slice();
        follow();
        bool more = !run(slice);
        ngx_int_t rc = send();
        spend_turn(slice - tree_.budget().slice_left());
        if (whole_) keep();
        if (rc == NGX_ERROR && c->error && has_client()) {
            client_left();
        } else if (whole_ || rc == NGX_ERROR || rc > NGX_OK) {
            finish(rc);
        } else {
            if (more || paused_) wake();
            wait_for_client(request_);
        }
        ngx_http_run_posted_requests(c);
    }

    // ---- a client that leaves

    bool has_client() const { return ctx_->role == Role::client && request_ == request_->main; }

    // Others may wait for what its fragments fill, and the next visitor wants that: so fills go on to their end, as they do for a page
    // without fragments. Whatever is for this page alone ends. `this` may be gone then.
    void client_left() {
        left_ = true;
        go_on_without_client();
    }

    static bool is_for_others(const Ctx* fragment) {
        const Fill* fill = fragment->fill.get();
        bool comes = fill != nullptr && !fragment->is_served() && (!fill->is_complete() || fill->at_work);
        return comes && (fill->is_reduced() || fill->is_for_store());
    }

    void go_on_without_client() {
        ngx_connection_t* c = request_->connection;
        // nginx ends a request whose connection is broken as soon as one of its subrequests ends.
        c->error = 0;
        if (c->write->timer_set) ngx_del_timer(c->write);
        request_->read_event_handler = ngx_http_block_reading;
        request_->write_event_handler = ngx_http_request_empty_handler;
        bool any = false;
        each_fetch([&any](Fetch& fetch) {
            if (fetch.running != nullptr && !is_for_others(fetch.running)) abandon(fetch.running);
            any = any || fetch.running != nullptr;
        });
        if (any) return;
        c->error = 1;
        finish(NGX_ERROR);
    }

    // The page of r, to be told that its client has left; a page in another's place has no client of its own.
    static void leave(ngx_http_request_t* r, ngx_int_t rc) {
        Page* page = ctx_of(r)->page;
        if (!page->has_client()) return ngx_http_finalize_request(r, rc);
        bool done = guarded(page->log(), event_name, false, [page] { return page->client_left(), true; });
        if (!done) page->failed();
    }

    static void on_readable(ngx_http_request_t* r) {
        if (client_has_left(r)) leave(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }

    // Between two parts: what the client has not taken yet is its affair and has send_timeout, the fragments have times of
    // their own.
    static void wait_for_client(ngx_http_request_t* r) {
        ngx_connection_t* c = r->connection;
        if (r == r->main) r->read_event_handler = on_readable;  // never throws
        if (r != c->data) return;  // another part of the answer is being sent
        r->write_event_handler = on_writable;  // never throws
        if (c->write->delayed) return;  // by limit_rate
        if (!c->buffered) {
            if (c->write->timer_set) ngx_del_timer(c->write);
            return;
        }
        const ngx_http_core_loc_conf_t* core = core_location(r);
        ngx_add_timer(c->write, core->send_timeout);
        if (ngx_handle_write_event(c->write, core->send_lowat) != NGX_OK) leave(r, NGX_ERROR);
    }

    static void on_writable(ngx_http_request_t* r) {
        ngx_connection_t* c = r->connection;
        if (c->write->timedout) {
            ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
            c->timedout = 1;
            return leave(r, NGX_HTTP_REQUEST_TIME_OUT);
        }
        if (!c->write->delayed && ngx_http_output_filter(r, nullptr) == NGX_ERROR) return leave(r, NGX_ERROR);
        wait_for_client(r);
    }

    // All of the page has taken too long: what is not there by now is left out.
    void on_total() {
        ngx_log_error(NGX_LOG_WARN, log(), 0,
                      "larder: \"%V\" took longer than larder_esi total=: going on without the rest",
                      &request_->uri);
        out_of_time_ = true;
        each_fetch([this](Fetch& fetch) { lost(fetch, 0); });
    }

    static ngx_int_t on_fragment_end(ngx_http_request_t* r, void* data, ngx_int_t rc);

    bool shares(ngx_http_request_t* fragment, const Ctx* fragment_ctx) const {
        return is_shared_part(*ctx_->conf, fragment, *fragment_ctx->conf);
    }

    ngx_http_request_t* request_;
    Ctx* ctx_;
    RequestEnvironment environment_;
    std::string_view plan_;
    esi::PageTree tree_;
    std::pmr::vector<esi::InPageMemory<Fetch>> fetches_;  // by their ids; null: a part of the page itself
    esi::PageTree::Reader reader_;
    PageOutput output_;
    TurnPlace place_;
    Event total_;
    std::size_t sent_ = 0;  // bytes
    static constexpr ngx_uint_t most_logged = 16;  // of each kind, by page
    ngx_uint_t refused_ = 0, left_out_ = 0;
    bool out_of_time_ = false;
    bool reads_visitor_ = false;  // a fragment does, not only the page itself
    std::vector<std::string> cookies_;
    bool over_ = false;
    bool left_ = false;  // its client has; fills go on
    bool personal_ = false;  // not the same for all who share the page's key, or not as it should be
    bool whole_ = false;
    bool paused_ = false;  // more of it could be sent, but not in this turn
};

// Where the answer of a fragment leads; empty if it is no redirect.
static std::string_view redirect_location(ngx_http_request_t* r, const Ctx* ctx, std::uint16_t status) {
    bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!redirects || ctx == nullptr) return {};
    if (ctx->is_served()) return ctx->entry.view().header("Location");
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
    fetch->running = nullptr;
    OwnAnswer answer = own_answer(r, ctx, rc);
    if (fetch->page->over()) return NGX_OK;  // the page went out without it
    if (fetch->page->left()) return fetch->page->ended_unseen(), NGX_OK;
    fetch->page->note(*fetch, r, ctx);
    std::string_view location = redirect_location(r, ctx, answer.status);
    if (!location.empty() && fetch->page->redirect(*fetch, location)) return NGX_OK;
    // What was captured was counted as it came.
    bool copied = answer.good && ctx->is_served() && !ctx->entry.is_held();
    if (copied && !fetch->page->has_room(*fetch, answer.body.size())) answer.good = false;
    if (ctx != nullptr && ctx->is_served()) {
        std::uint32_t vary_size = ctx->entry.view().head().vary_size;
        bool varies = ctx->varied != Varied::no || vary_size != 0;  // on what the page's key need not hold
        bool fresh = ctx->status == Status::hit && ctx->entry.is_held();
        if (fresh && !varies && fetch->page->shares(r, ctx)) fetch->part = {ctx->key, ctx->entry.version()};
    }
    if (!answer.good) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: fragment \"%V\" failed with status %ui",
                      &r->uri, static_cast<ngx_uint_t>(answer.status));
    }
    if (answer.good)
        fetch->page->arrived(*fetch, answer.body, answer.plan);
    else
        fetch->page->lost(*fetch, answer.status);
    return NGX_OK;  // nginx need not make an error page of it
}

// A subrequest for the fragment, or for where it redirects to. False: no location answers it.
bool Page::ask(Fetch& fetch, std::string_view target) {
    auto ended = [](ngx_http_request_t* r, void* data, ngx_int_t rc) {
        return guarded(r->connection->log, "end of fragment", static_cast<ngx_int_t>(NGX_OK),
                       [&] { return on_fragment_end(r, data, rc); });
    };
    Ctx* ctx = ask_location(request_, target, ended, &fetch);
    if (ctx == nullptr) return false;
    if (confines()) ctx->request->internal = 0;  // nginx refuses a client's request for an internal location
    fetch.running = ctx;
    ctx->fragment->include = &fetch;
    if (fetch.attributes.no_store) ctx->no_store = "esi-no-store";
    return true;
}

bool Page::start_fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes) {
    while (fetches_.size() <= id) fetches_.emplace_back();
    fetches_[id] = tree_.budget().memory().make<Fetch>();
    Fetch* fetch = fetches_[id].get();
    fetch->page = this;
    fetch->id = id;
    fetch->target = fetch->location = target;
    fetch->attributes = attributes;
    if (!ask(*fetch, target)) return fetches_[id].reset(), false;
    bool limited = attributes.maxwait_ms != esi::IncludeAttributes::unset;
    ngx_msec_t timeout = limited ? attributes.maxwait_ms : ctx_->conf->esi.value().timeout;
    fetch->timer.bind<&Fetch::on_timeout>(fetch, request_->connection->log);
    // What is at hand comes before the timer: that is of the next turn.
    fetch->timer.start_timer(std::max<ngx_msec_t>(timeout, 1));
    return true;
}

void Fetch::on_timeout() {
    ngx_log_error(NGX_LOG_WARN, page->log(), 0, "larder: fragment \"%s\" took too long: going on without it",
                  esi::redact_url(target).c_str());
    page->lost(*this, 0);
}

void Fetch::failed() noexcept {
    page->failed();
}

bool Fetch::has_client() const {
    return !page->left();
}

bool Fetch::has_room(std::size_t size) {
    return page->has_room(*this, size);
}

std::optional<std::uint32_t> Fetch::ttl_s() const {
    return attributes.ttl_s != esi::IncludeAttributes::unset ? std::optional(attributes.ttl_s) : std::nullopt;
}

bool Fetch::is_out_of_reach(ngx_http_request_t* r) const {
    return page->confines() && has_access_rules_of_its_own(r);
}

ngx_int_t assemble_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan) {
    Page* page = make<Page>(r->pool, r, ctx, document, plan);
    try {
        return page->start();
    } catch (...) {
        page->end();  // the caller ends the request
        throw;
    }
}

}  // namespace larder::ngx
