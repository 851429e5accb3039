// The hash of a URL, and purges that nobody waits for.
#include "ngx_module/request/invalidate.hpp"

#include <algorithm>
#include <string>

#include "cache/request/key.hpp"
#include "cache/request/url.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// A path as variants have it: decoded and encoded again, without a query.
std::string variant_path(std::string_view path) {
    std::string decoded(path.substr(0, path.find_first_of("?#")));
    auto* to = reinterpret_cast<u_char*>(decoded.data());
    u_char* from = to;
    u_char* begin = to;
    ngx_unescape_uri(&to, &from, decoded.size(), 0);
    decoded.resize(static_cast<std::size_t>(to - begin));
    uintptr_t extra =
        ngx_escape_uri(nullptr, reinterpret_cast<u_char*>(decoded.data()), decoded.size(), NGX_ESCAPE_URI);
    std::string encoded(decoded.size() + 2 * extra, '\0');
    ngx_escape_uri(reinterpret_cast<u_char*>(encoded.data()), reinterpret_cast<u_char*>(decoded.data()),
                   decoded.size(), NGX_ESCAPE_URI);
    return encoded;
}

// "http://host/path" of the same host, or a path.
bool is_of_host(std::string_view url, std::string_view host) {
    if (url.substr(0, 1) == "/" && url.substr(0, 2) != "//") return true;
    auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return false;
    std::string_view rest = url.substr(scheme + 3);
    return equals_ignore_case(rest.substr(0, rest.find('/')), host);
}

}  // namespace

std::optional<std::uint64_t> url_hash(ngx_http_request_t* r, std::string_view url) {
    std::string storage;
    std::string_view host;
    for (std::string_view scheme : {"http", "https"}) {
        if (url.substr(0, scheme.size()) != scheme || url.substr(scheme.size(), 3) != "://") continue;
        url.remove_prefix(scheme.size() + 3);
        auto slash = std::min(url.find('/'), url.size());
        host = normalise_authority(url.substr(0, slash), scheme, storage);
        if (host.empty()) return std::nullopt;
        url = slash < url.size() ? url.substr(slash) : "/";
        break;
    }
    if (url.empty() || url[0] != '/') return std::nullopt;
    return url_tag_hash(host.empty() ? request_authority(r, storage) : host, variant_path(url));
}

bool is_safe(ngx_http_request_t* r) {
    constexpr ngx_uint_t safe =
        NGX_HTTP_GET | NGX_HTTP_HEAD | NGX_HTTP_OPTIONS | NGX_HTTP_TRACE | NGX_HTTP_PROPFIND;
    return (r->method & safe) != 0;
}

void purge_everywhere(const StoreConf* store, const PurgeRequest& purge) {
    for (std::uint64_t hash : purge.hashes)
        zone().purge(store != nullptr ? store->domain : 0, hash, purge.mode, 0, now_ms());
    if (store == nullptr) return;
    // Again with the store's own sequence, once that is known.
    purge_store(*store, purge, [domain = store->domain, purge](std::optional<std::uint64_t> sequence) {
        if (!sequence) return;
        for (std::uint64_t hash : purge.hashes) zone().purge(domain, hash, purge.mode, *sequence, now_ms());
    });
}

void invalidate_after(ngx_http_request_t* r, const Ctx* ctx) {
    PurgeMode mode = ctx->conf->invalidate.value();
    if (mode == PurgeMode::none || is_safe(r) || r->headers_out.status >= NGX_HTTP_BAD_REQUEST ||
        !ctx->conf->enabled())
        return;
    PurgeRequest purge;
    purge.mode = mode;
    std::string storage;
    std::string_view host = request_authority(r, storage);
    auto add = [&](std::string_view url) {
        if (auto hash = url_hash(r, url)) purge.hashes.push_back(*hash);
    };
    add(view(r->uri));
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            std::string_view name = view(elements[i].key), value = view(elements[i].value);
            bool names_url =
                equals_ignore_case(name, "Location") || equals_ignore_case(name, "Content-Location");
            if (elements[i].hash != 0 && names_url && is_of_host(value, host)) add(value);
        }
    }
    count(near_cache::Counter::purges);
    purge_everywhere(ctx->conf->where.value().store, purge);
}

}  // namespace larder::ngx
