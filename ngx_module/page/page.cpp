// The host of the ESI assembler: carries out a page's steps with nginx's subrequests and buffers.
//
// Work is batched. Everything that ends in one turn of the event loop is processed once, at the end of that turn. So
// a page whose fragments are all in the cache is sent in one write, and a page that has to wait sends what it has
// just before it waits.
#include "ngx_module/page/page.hpp"

#include <string>

#include "cache/entry.hpp"
#include "edge_includes/page_tree.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/page/assembled.hpp"
#include "ngx_module/page/environment.hpp"
#include "ngx_module/page/fetches.hpp"
#include "ngx_module/page/output.hpp"
#include "ngx_module/page/page_client.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/answer_compiler.hpp"
#include "ngx_module/request/capture.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/text.hpp"
#include "ngx_module/turn.hpp"

namespace larder::ngx {

static esi::PageLimits limits_of(const LocConf::Esi& esi) {
    esi::PageLimits limits;
    limits.depth = esi.depth;
    limits.includes = esi.includes;
    limits.output = esi.output;
    limits.budget.memory = esi.memory;
    return limits;
}

class Page : public esi::PageHost, private Fetches::Owner {
public:
    Page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan)
        : request_(r),
          ctx_(ctx),
          environment_(r, ctx),
          plan_(plan),
          tree_(document, plan, std::string(view(r->uri)), environment_, *this, limits_of(ctx->conf->esi.value()),
                compile_options(r, *ctx->conf)),
          fetches_(r, ctx, tree_, *this),
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
        if (is_whole() || rc == NGX_ERROR || rc > NGX_OK) {
            end();
            return rc;
        }
        ctx_->page = this;
        request_->write_event_handler = ngx_http_request_empty_handler;
        if (has_client() && ctx_->fill == nullptr) watch_client(request_);
        wake();
        total_.start_timer(ctx_->conf->esi.value().total);
        return NGX_DONE;
    }

    // Ends the page, once: cancels its timers and its remaining subrequests.
    void end() {
        place_.leave();
        total_.cancel();
        fetches_.end();
    }

    // ---- esi::PageHost

    const char* fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes) override {
        return fetches_.fetch(id, target, attributes);
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
    void failed() noexcept override {
        if (fetches_.is_over()) return;  // the request was given back to nginx already
        ngx_connection_t* c = request_->connection;
        finish(NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }

private:
    friend void on_client_left(ngx_http_request_t* r, ngx_int_t rc) noexcept;

    ngx_log_t* log() const { return request_->connection->log; }
    bool is_whole() const { return sent_so_far_ == Sent::whole; }

    void wake() override {
        if (!fetches_.is_over()) place_.enter();
    }

    void spoilt() override { personal_ = true; }

    // Gives the request back to nginx. `this` may be destroyed then.
    void finish(ngx_int_t rc) {
        end();
        request_->buffered &= 0xf & ~larder_buffered;
        ngx_http_finalize_request(request_, rc);
    }

    // Runs the plan within the slice. False if there is more to do.
    bool run(std::uint64_t slice) {
        tree_.budget().begin_slice(slice);
        return tree_.run();
    }

    // ---- output

    ngx_int_t send() {
        if (!request_->header_sent) {
            if (fetches_.waits_for_cookies()) return NGX_OK;
            fetches_.add_cookies();
            ngx_int_t rc = send_page_header(request_, ctx_, plan_, control());
            if (rc == NGX_ERROR || rc > NGX_OK) return rc;
        }
        using Kind = esi::PageTree::Output::Kind;
        esi::PageTree::Output next;
        while ((next = reader_.next()).kind == Kind::text) {
            sent_ += next.text.size();
            output_.append(next.text);
        }
        sent_so_far_ = next.kind == Kind::pause ? Sent::paused : next.kind == Kind::end ? Sent::whole : Sent::waits;
        if (is_whole()) note_limits();
        return output_.send(is_whole());
    }

    // Logs what was cut from the page because of a limit.
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

    // Keeps the assembled page in the near cache, if its template and all fragments came from there and it is the
    // same for everybody.
    void keep() {
        bool from_near = ctx_->role == Role::client && request_ == request_->main &&
                         ctx_->status == Status::hit && ctx_->entry.is_held() && !ctx_->session;
        if (!from_near || personal_ || sent_ > ctx_->policy().max_body) return;
        auto parts = fetches_.parts();
        if (!parts) return;
        std::string text;
        text.reserve(sent_);
        tree_.budget().begin_slice(UINT64_MAX);
        esi::PageTree::Reader reader(tree_);
        for (esi::PageTree::Output next = reader.next(); next.kind == esi::PageTree::Output::Kind::text; next = reader.next())
            text.append(next.text);
        EntryView page = ctx_->entry.view();
        std::int64_t age_s = page_age_s(ctx_);
        keep_assembled_page(*ctx_, text, control().value(control_of(page, age_s), age_s), *parts);
    }

    void work() {
        ngx_connection_t* c = request_->connection;
        if (fetches_.is_unseen()) {
            go_on_without_client();
            return ngx_http_run_posted_requests(c);
        }
        std::uint64_t slice = next_slice();
        fetches_.follow();
        bool more = !run(slice);
        ngx_int_t rc = send();
        spend_turn(slice - tree_.budget().slice_left());
        if (is_whole()) keep();
        if (rc == NGX_ERROR && c->error && has_client()) {
            go_on_without_client();
        } else if (is_whole() || rc == NGX_ERROR || rc > NGX_OK) {
            finish(rc);
        } else {
            if (more || sent_so_far_ == Sent::paused) wake();
            wait_for_client(request_);
        }
        ngx_http_run_posted_requests(c);
    }

    // ---- a client that leaves

    bool has_client() const { return ctx_->role == Role::client && request_ == request_->main; }

    // The client has left. Others may wait for what the fragments fill, and later visitors need it too: so fills go
    // on to their end, as for a page without fragments, and whatever serves only this page ends. `this` may be
    // destroyed then.
    void go_on_without_client() {
        ngx_connection_t* c = request_->connection;
        // nginx ends a request with a broken connection as soon as one of its subrequests ends, so hide the error.
        c->error = 0;
        if (c->write->timer_set) ngx_del_timer(c->write);
        request_->read_event_handler = ngx_http_block_reading;
        request_->write_event_handler = ngx_http_request_empty_handler;
        if (fetches_.go_on_unseen()) return;
        c->error = 1;
        finish(NGX_ERROR);
    }

    // larder_esi total= is over: fragments that are still missing are left out.
    void on_total() {
        ngx_log_error(NGX_LOG_WARN, log(), 0,
                      "larder: \"%V\" took longer than larder_esi total=: going on without the rest",
                      &request_->uri);
        fetches_.run_out_of_time();
    }

    // What caches behind us may do with the page, as far as its fragments are known.
    PartsControl control() const {
        PartsControl control = fetches_.control();
        if (reads_visitor_) control.add_private();
        return control;
    }

    ngx_http_request_t* request_;
    Ctx* ctx_;
    RequestEnvironment environment_;
    std::string_view plan_;
    esi::PageTree tree_;
    Fetches fetches_;
    esi::PageTree::Reader reader_;
    PageOutput output_;
    TurnPlace place_;
    Event total_;
    std::size_t sent_ = 0;  // bytes of text
    static constexpr ngx_uint_t most_logged = 16;  // log lines of each kind per page
    ngx_uint_t refused_ = 0, left_out_ = 0;
    bool reads_visitor_ = false;  // a fragment's plan reads data of the visitor
    bool personal_ = false;  // differs between visitors who share the page's key, or lacks something: must not be kept assembled
    // How far the page was sent. waits: for a fragment; paused: more could be sent, but not in this turn.
    enum class Sent : std::uint8_t { waits, paused, whole } sent_so_far_ = Sent::waits;
};

void on_client_left(ngx_http_request_t* r, ngx_int_t rc) noexcept {
    Page* page = ctx_of(r)->page;
    // If the page is itself a fragment, the client is not its own.
    if (!page->has_client()) return ngx_http_finalize_request(r, rc);
    bool done =
        guarded(r->connection->log, Page::event_name, false, [page] { return page->go_on_without_client(), true; });
    if (!done) page->failed();
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
