// Asks for a session's group, applies the answer, and purges it when the session changes.
#include "ngx_module/request/group.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "cache/request/key.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/invalidate.hpp"
#include "ngx_module/request/subrequest.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t max_group_name = 256;  // bytes

// The tag of the entry that holds a session's group. The session is named by keyed digests of its cookies.
std::string session_tag(std::span<const KeptCookie> cookies) {
    std::string tag = "session";
    for (const KeptCookie& cookie : cookies)
        tag.append("&").append(cookie.name).append("=").append(cookie.value);
    return tag;
}

// The group of an outer request of r, if it is known there by the same rule. Null: none.
Group* group_of_page(ngx_http_request_t* r, const GroupRule& rule) {
    for (ngx_http_request_t* outer = r->parent; outer != nullptr; outer = outer->parent) {
        Ctx* ctx = ctx_of(outer);
        if (ctx != nullptr && ctx->group != nullptr && ctx->group->rule == &rule &&
            ctx->group->state != Group::State::pending)
            return ctx->group;
    }
    return nullptr;
}

// Whether all characters are visible ASCII or spaces, as in a header field, and the length fits.
bool is_group_name(std::string_view text) {
    return text.size() <= max_group_name &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
}

std::string_view trim(std::string_view text) {
    auto first = text.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos ? text.substr(0, 0)
                                           : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

void settle(Group& group, ngx_http_request_t* r, const OwnAnswer& answer) {
    std::string_view name = trim(answer.body);
    if (answer.good && is_group_name(name)) {
        group.name = name;
        group.state = Group::State::known;
        return;
    }
    group.state = Group::State::failed;
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "larder: \"%V\" tells no group (%s, status %ui): the request passes by the cache", &r->uri,
                  answer.good ? "not a line of at most 256 visible characters" : "no good answer",
                  static_cast<ngx_uint_t>(answer.status));
}

ngx_int_t lookup_ended(ngx_http_request_t* r, Group& group, ngx_int_t rc) {
    OwnAnswer answer = own_answer(r, ctx_of(r), rc);
    if (group.state != Group::State::pending) return NGX_OK;  // the timer has resumed the request already
    settle(group, r, answer);
    group.timer.cancel();
    return resume_soon(group.asker);
}

ngx_int_t on_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {
    return guarded(r->connection->log, "end of a group's lookup", static_cast<ngx_int_t>(NGX_ERROR),
                   [&] { return lookup_ended(r, *static_cast<Group*>(data), rc); });
}

bool ask(ngx_http_request_t* r, Ctx* ctx) {
    Group& group = *ctx->group;
    group.asker = ctx;
    Ctx* lookup = ask_location(r, group.rule->uri, on_end, &group);
    if (lookup == nullptr) {
        group.state = Group::State::failed;
        return false;
    }
    lookup->fragment->asked_group = &group;
    group.timer.bind<&Group::on_timeout>(&group, r->connection->log);
    group.timer.start_timer(group.rule->timeout);
    return true;
}

bool sets_cookie(ngx_http_request_t* r, const GroupRule& rule) {
    bool sets = false;
    each_response_header(r, [&](const ngx_table_elt_t& header) {
        std::string_view value = view(header.value);
        std::string_view name = trim_ows(value.substr(0, value.find_first_of("=;")));
        sets = sets || (header.hash != 0 && equals_ignore_case(view(header.key), "Set-Cookie") &&
                        std::any_of(rule.cookies.begin(), rule.cookies.end(),
                                    [name](const CookieRule& cookie) { return cookie.name == name; }));
    });
    return sets;
}

}  // namespace

void Group::on_timeout() {
    ngx_log_error(NGX_LOG_WARN, asker->request->connection->log, 0,
                  "larder: \"%s\" took too long to tell a group: the request passes by the cache", rule->uri.c_str());
    state = State::failed;
    resume(asker);
}

void Group::failed() noexcept {
    asker->failed();
}

bool find_group(ngx_http_request_t* r, Ctx* ctx) {
    const GroupRule* rule = ctx->conf->group.value().get();
    if (rule == nullptr || ctx->asked_group() != nullptr) return true;
    if (ctx->group != nullptr) return ctx->group->state != Group::State::pending;
    ctx->group = group_of_page(r, *rule);
    if (ctx->group != nullptr) return true;
    if (!collect_cookies(r->headers_in, rule->present).session()) return true;
    ctx->group = make<Group>(r->pool);
    ctx->group->rule = rule;
    return !ask(r, ctx);
}

void apply_group(Ctx* ctx) {
    const GroupRule& rule = *ctx->asked_group()->rule;
    ctx->own_policy = std::make_unique<Policy>(ctx->conf->policy);
    Policy& policy = *ctx->own_policy;
    policy.valid = {{0, rule.valid_s}, {204, rule.valid_s}};  // 204: the session has no group
    policy.valid_overrides = false;
    policy.esi = EsiMode::off;
    policy.never_stale = rule.error_s == 0;
    policy.while_s = 0;
    policy.error_s = rule.error_s;
}

void bind_to_session(Group& group, EntryParts& parts) {
    const char* why;
    auto variant = Variant::parse(parts.variant, &why);
    if (!variant) throw std::runtime_error(why);
    group.tag = session_tag(variant->cookies);
    parts.life.while_ms = 0;  // no stale window, whatever the answer says: a refresh would not have the session
    if (std::find(parts.tags.begin(), parts.tags.end(), group.tag) == parts.tags.end())
        parts.tags.push_back(group.tag);
}

void forget_group_after(ngx_http_request_t* r, const Ctx* ctx) {
    const GroupRule* rule = loc_conf(r)->group.value().get();
    if (rule == nullptr) return;
    if (ctx != nullptr && ctx->fill != nullptr && ctx->fill->is_reduced()) return;  // the backend did not see the session
    bool writes = !is_safe(r) && r->headers_out.status < NGX_HTTP_BAD_REQUEST;
    if (!writes && !sets_cookie(r, *rule)) return;
    auto cookies = collect_cookies(r->headers_in, rule->cookies).cookies();
    if (cookies.empty()) return;
    PurgeRequest purge;
    purge.mode = PurgeMode::hard;
    purge.hashes.push_back(tag_hash(session_tag(cookies)));
    // The location that returns groups may use another store than this one.
    purge_everywhere(nullptr, purge);
    for (const StoreConf& store : main_conf(r)->stores) purge_everywhere(&store, purge);
}

}  // namespace larder::ngx
