// URL hashes, and purges sent to the store without waiting for its reply.
#include "ngx_module/request/invalidate.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cache/request/key.hpp"
#include "cache/request/url.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/stores/topics/purges.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

std::uint64_t hash_of(const Url& url) {
    return url_tag_hash(url.authority, url.path);
}

}  // namespace

std::uint64_t target_hash(ngx_http_request_t* r) {
    return hash_of(request_url(r));
}

std::optional<std::uint64_t> url_hash(ngx_http_request_t* r, std::string_view text) {
    if (text.substr(0, 1) == "/") {  // a path, even if it begins with "//"
        Url url = request_url(r);
        std::string storage;
        url.path = normalise_path(split_target(text).path, storage);
        return hash_of(url);
    }
    auto url = parse_url(text);
    return url ? std::optional(hash_of(*url)) : std::nullopt;
}

bool is_safe(ngx_http_request_t* r) {
    constexpr ngx_uint_t safe =
        NGX_HTTP_GET | NGX_HTTP_HEAD | NGX_HTTP_OPTIONS | NGX_HTTP_TRACE | NGX_HTTP_PROPFIND;
    return (r->method & safe) != 0;
}

void purge_everywhere(const StoreConf* store, const PurgeRequest& purge) {
    std::vector<std::uint64_t> drawn;
    for (std::uint64_t hash : purge.hashes)
        drawn.push_back(zone().purge(store != nullptr ? store->domain : 0, hash, purge.mode, 0, now_ms()));
    if (store == nullptr) return;
    // Once the store has assigned a sequence, replace the local one by it. If the store fails, the follower delivers
    // the purge later.
    purge_store(*store, purge, [domain = store->domain, purge, drawn = std::move(drawn)](std::optional<std::uint64_t> sequence) {
        for (std::size_t i = 0; sequence && i < purge.hashes.size(); i++)
            zone().settle(domain, purge.hashes[i], purge.mode, drawn[i], *sequence, now_ms());
    });
}

void invalidate_after(ngx_http_request_t* r, const Ctx* ctx) {
    PurgeMode mode = ctx->conf->invalidate.value();
    if (mode == PurgeMode::none || is_safe(r) || r->headers_out.status >= NGX_HTTP_BAD_REQUEST ||
        !ctx->conf->enabled())
        return;
    PurgeRequest purge;
    purge.mode = mode;
    Url own = request_url(r);
    purge.hashes.push_back(hash_of(own));
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            std::string_view name = view(elements[i].key), value = view(elements[i].value);
            bool names_url =
                equals_ignore_case(name, "Location") || equals_ignore_case(name, "Content-Location");
            if (elements[i].hash == 0 || !names_url) continue;
            auto named = resolve_url(value, own);
            if (named && named->authority == own.authority) purge.hashes.push_back(hash_of(*named));
        }
    }
    count(near_cache::Counter::purges);
    purge_everywhere(ctx->conf->where.value().store, purge);
}

}  // namespace larder::ngx
