// Subrequests run in the background: nginx does not order their output. request/capture.cpp captures their answers,
// unless they come from entries.
#include "ngx_module/page/fetches.hpp"

#include <algorithm>
#include <utility>

#include "cache/entry.hpp"
#include "edge_includes/include_url.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/page/assembled.hpp"
#include "ngx_module/page/late.hpp"
#include "ngx_module/page/reach.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/subrequest.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The Location of a fragment's answer; empty if it is no redirect.
std::string_view redirect_location(ngx_http_request_t* r, const Ctx* ctx, std::uint16_t status) {
    bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!redirects || ctx == nullptr) return {};
    if (ctx->is_served()) return ctx->entry.view().header("Location");
    std::string_view found;
    each_response_header(r, [&found](const ngx_table_elt_t& header) {
        if (equals(header.key, "location")) found = view(header.value);
    });
    return found;
}

bool is_for_others(const Ctx* fragment) {
    const Fill* fill = fragment->fill.get();
    bool comes = fill != nullptr && !fragment->is_served() && (!fill->is_complete() || fill->at_work);
    return comes && (fill->is_reduced() || fill->is_for_store());
}

}  // namespace

const char* Fetches::fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes) {
    if (stage_ != Stage::open) return "the page has no time left";
    if (!may_include(request_, ctx_->conf->esi_includes.value(), target)) return "larder_esi_include does not name its path";
    return start(id, target, attributes) ? nullptr : "no location answers it";
}

// Starts a subrequest for the fragment, or for the target of its redirect. False: no location answers it.
bool Fetches::ask(Fetch& fetch, std::string_view target) {
    auto ended = [](ngx_http_request_t* r, void* data, ngx_int_t rc) {
        return guarded(r->connection->log, "end of fragment", static_cast<ngx_int_t>(NGX_OK),
                       [&] { return on_end(r, data, rc); });
    };
    Ctx* ctx = ask_location(request_, target, ended, &fetch);
    if (ctx == nullptr) return false;
    if (confines()) ctx->request->internal = 0;  // so nginx refuses internal locations, as to a client
    fetch.running = ctx;
    ctx->fragment->include = &fetch;
    if (fetch.attributes.no_store) ctx->no_store = Reason::esi_no_store;
    return true;
}

bool Fetches::start(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes) {
    while (fetches_.size() <= id) fetches_.emplace_back();
    fetches_[id] = tree_.budget().memory().make<Fetch>();
    Fetch* fetch = fetches_[id].get();
    fetch->all = this;
    fetch->id = id;
    fetch->target = fetch->location = target;
    fetch->attributes = attributes;
    if (!ask(*fetch, target)) return fetches_[id].reset(), false;
    bool limited = attributes.maxwait_ms != esi::IncludeAttributes::unset;
    ngx_msec_t timeout = limited ? attributes.maxwait_ms : ctx_->conf->esi.value().timeout;
    fetch->timer.bind<&Fetch::on_timeout>(fetch, request_->connection->log);
    // Entries in the cache are used before the timer runs out, as timers expire in the next turn at the earliest.
    fetch->timer.start_timer(std::max<ngx_msec_t>(timeout, 1));
    return true;
}

void Fetches::follow() {
    for (const auto& fetch : fetches_) {
        if (fetch == nullptr || fetch->redirect_to.empty() || !fetch->pending) continue;
        fetch->location = tree_.budget().memory().copy(std::exchange(fetch->redirect_to, {}));
        if (!ask(*fetch, fetch->location)) lost(*fetch, 0);
    }
}

void Fetches::run_out_of_time() {
    stage_ = Stage::out_of_time;
    each([this](Fetch& fetch) { lost(fetch, 0); });
}

bool Fetches::go_on_unseen() {
    unseen_ = true;
    bool any = false;
    each([&any](Fetch& fetch) {
        if (fetch.running != nullptr && !is_for_others(fetch.running)) abandon(fetch.running);
        any = any || fetch.running != nullptr;
    });
    return any;
}

void Fetches::end() {
    stage_ = Stage::over;
    each([this](Fetch& fetch) {
        fetch.timer.cancel();
        if (fetch.running == nullptr) return;
        guarded(log(), "abandoned fragment", 0, [&fetch] {
            abandon(fetch.running);
            return 0;
        });
    });
}

// Called when the fragment's subrequest has ended, successfully or not.
ngx_int_t Fetches::on_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {
    auto* fetch = static_cast<Fetch*>(data);
    fetch->all->take(*fetch, r, ctx_of(r), rc);
    return NGX_OK;  // so nginx makes no error page of it
}

void Fetches::take(Fetch& fetch, ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    fetch.running = nullptr;
    OwnAnswer answer = own_answer(r, ctx, rc);
    if (is_over()) return;  // the page was sent without it
    if (unseen_) return owner_.wake();
    note(fetch, r, ctx);
    std::string_view location = redirect_location(r, ctx, answer.status);
    if (!location.empty() && redirect(fetch, location)) return;
    // A captured body was counted while it arrived; that of an entry in our own memory is counted here.
    bool copied = answer.good && ctx->is_served() && !ctx->entry.is_held();
    if (copied && !has_room(fetch, answer.body.size())) answer.good = false;
    if (ctx != nullptr && ctx->is_served()) {
        std::uint32_t vary_size = ctx->entry.view().head().vary_size;
        bool varies = ctx->varied != Varied::no || vary_size != 0;  // on headers that the page's key may lack
        bool fresh = ctx->status == Status::hit && ctx->entry.is_held();
        if (fresh && !varies && is_shared_part(*ctx_->conf, r, *ctx->conf)) fetch.part = {ctx->key, ctx->entry.version()};
    }
    if (!answer.good) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: fragment \"%V\" failed with status %ui",
                      &r->uri, static_cast<ngx_uint_t>(answer.status));
    }
    if (answer.good)
        arrived(fetch, answer.body, answer.plan);
    else
        lost(fetch, answer.status);
}

// Notes what the fragment's answer means for the page's header.
void Fetches::note(Fetch& fetch, ngx_http_request_t* r, const Ctx* ctx) {
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
        // The answer may be for this visitor alone: the backend got the whole request, or the answer must not be
        // stored.
        fetch.is_private = fetch.is_private || !fill.decision.store || ctx->status == Status::pass ||
                           ctx->status == Status::bypass;
        take_cookies(r);
    }
}

void Fetches::take_cookies(ngx_http_request_t* r) {
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

// The fragment's answer is a redirect: follows it in the next turn. False: refused, or too many redirects.
bool Fetches::redirect(Fetch& fetch, std::string_view location) {
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
    owner_.wake();
    return true;
}

void Fetches::lost(Fetch& fetch, std::uint16_t status) {
    if (!fetch.pending) return;  // it was given up before
    if (fetch.attributes.late_client) {
        // Send a placeholder; the browser fetches the fragment.
        owner_.spoilt();
        return arrived(fetch, view(copy(request_->pool, late_placeholder(fetch.target))), {});
    }
    tree_.failed(fetch.id, status);
    ended(fetch);
}

void Fetches::arrived(Fetch& fetch, std::string_view body, std::string_view plan) {
    if (!fetch.pending) return;  // it was given up before
    tree_.arrived(fetch.id, body, plan, fetch.location);
    ended(fetch);
}

void Fetches::ended(Fetch& fetch) {
    fetch.pending = false;
    fetch.timer.cancel();
    owner_.wake();
}

bool Fetches::has_room(const Fetch& fetch, std::size_t size) {
    esi::PageMemory& memory = tree_.budget().memory();
    if (memory.fits(size)) return memory.add(size), true;
    ngx_log_error(NGX_LOG_ERR, log(), 0,
                  "larder: no room for fragment \"%s\" of \"%V\" within larder_esi memory=%uz: left out",
                  esi::redact_url(fetch.target).c_str(), &request_->uri, ctx_->conf->esi.value().memory);
    return false;
}

PartsControl Fetches::control() const {
    PartsControl control;
    each([&](const Fetch& fetch) {
        if (fetch.pending) return control.add_unknown();
        control.add(fetch.said, fetch.age_s, fetch.fresh_left_s);
        if (fetch.is_private) control.add_private();
        if (fetch.purged) control.add_purged(ctx_->conf->stale.value().purged_s);
    });
    return control;
}

void Fetches::add_cookies() {
    for (const std::string& cookie : cookies_) {
        if (add_response_header(request_, ngx_string("Set-Cookie"), copy(request_->pool, cookie)) ==
            nullptr)
            throw std::bad_alloc();
    }
}

bool Fetches::waits_for_cookies() const {
    return !ctx_->conf->esi_set_cookies.value().empty() &&
           std::any_of(fetches_.begin(), fetches_.end(),
                       [](const auto& fetch) { return fetch != nullptr && fetch->pending; });
}

std::optional<std::vector<near_cache::Zone::Part>> Fetches::parts() const {
    std::vector<near_cache::Zone::Part> parts;
    bool all = true;
    each([&](const Fetch& fetch) {
        all = all && fetch.part;
        if (all) parts.push_back(*fetch.part);
    });
    return all ? std::optional(std::move(parts)) : std::nullopt;
}

void Fetch::on_timeout() {
    ngx_log_error(NGX_LOG_WARN, all->log(), 0, "larder: fragment \"%s\" took too long: going on without it",
                  esi::redact_url(target).c_str());
    all->lost(*this, 0);
}

void Fetch::failed() noexcept {
    all->owner_.failed();
}

bool Fetch::has_client() const {
    return !all->unseen_;
}

bool Fetch::has_room(std::size_t size) {
    return all->has_room(*this, size);
}

std::optional<std::uint32_t> Fetch::ttl_s() const {
    return attributes.ttl_s != esi::IncludeAttributes::unset ? std::optional(attributes.ttl_s) : std::nullopt;
}

bool Fetch::is_out_of_reach(ngx_http_request_t* r) const {
    return all->confines() && has_access_rules_of_its_own(r);
}

}  // namespace larder::ngx
