// The lifetime of a context, and of the entry that it holds.
#include "ngx_module/request/ctx.hpp"

#include <utility>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/permit.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

const char* status_text(Status status) {
    switch (status) {
        case Status::none:
            return "";
        case Status::hit:
            return "HIT";
        case Status::stale:
            return "STALE";
        case Status::miss:
            return "MISS";
        case Status::revalidated:
            return "REVALIDATED";
        case Status::coalesced:
            return "COALESCED";
        case Status::bypass:
            return "BYPASS";
        case Status::pass:
            return "PASS";
        case Status::error_stale:
            return "ERROR-STALE";
        case Status::error:
            return "ERROR";
    }
    return "";
}

bool Ctx::uses_near() const {
    const Where& where = conf->where.value();
    return where.near || near_only || where.store == nullptr || !is_available(*where.store);
}

bool Ctx::at_hand_only() const {
    return include() != nullptr && !include()->waits();
}

bool Ctx::answers_purged() const {
    return is_served() ? entry.purged : fill != nullptr && fill->purged;
}

void Ctx::take(const near_cache::Found& found) {
    entry = AtHand(found);
    if (entry.empty()) return;
    // A plan refers to a body in one piece, and so does a page that includes this entry.
    if (entry.rest() != 0) {
        EntryHead head = entry.view().head();
        bool ends_in_prefix = found.entry.size() < entry.view().prefix_size();
        if (ends_in_prefix || head.plan_size != 0 || role == Role::fragment) entry.join();
    }
    // A collision of 128-bit keys is not expected, but would send one visitor another's page, so compare the
    // variants. Also refuse an entry of another domain: it came from the store that this location used before a
    // reload, and purges of the present store don't apply to it.
    if (found.domain != conf->where.value().domain() || entry.view().variant() != view(variant)) entry.drop();
}

std::shared_ptr<const bool> Ctx::alive() {
    if (alive_ == nullptr) alive_ = std::make_shared<bool>(true);
    return alive_;
}

TurnPlace& Ctx::turn_place() {
    if (place == nullptr) place = std::make_unique<TurnPlace>();
    return *place;
}

bool Ctx::is_stored() const {
    return fill != nullptr ? fill->stored : retired != nullptr && retired->stored;
}

Ctx::Ctx() = default;

void Ctx::end_waits() {
    if (alive_ != nullptr) *alive_ = false;
    if (place != nullptr) place->leave();
    if (fill != nullptr) fill->at_work = false;
    fill_wait.reset();
    claim.reset();
    substitution.reset();
}

Ctx::~Ctx() {
    end_waits();
}

Ctx* new_ctx(ngx_http_request_t* r, const LocConf* conf, Role role) {
    Ctx* ctx = make<Ctx>(r->pool);
    ctx->conf = conf;
    ctx->role = role;
    attach_ctx(r, ctx);
    return ctx;
}

void attach_ctx(ngx_http_request_t* r, Ctx* ctx) {
    ctx->request = r;
    ngx_http_set_ctx(r, ctx, ngx_http_larder_module);
}

Ctx* ctx_of(ngx_http_request_t* r) {
    auto* ctx = static_cast<Ctx*>(ngx_http_get_module_ctx(r, ngx_http_larder_module));
    if (ctx != nullptr || !(r->internal || r->filter_finalize)) return ctx;
    // An internal redirect has cleared the contexts. Find ours by its pool cleanup. All requests of a page share one
    // pool, so compare the request.
    for (ngx_pool_cleanup_t* cleanup = r->pool->cleanup; cleanup != nullptr; cleanup = cleanup->next) {
        if (cleanup->handler != cleanup_of<Ctx>()) continue;
        auto* kept = static_cast<Ctx*>(cleanup->data);
        if (kept->request != r) continue;
        ngx_http_set_ctx(r, kept, ngx_http_larder_module);
        return kept;
    }
    return nullptr;
}

}  // namespace larder::ngx
