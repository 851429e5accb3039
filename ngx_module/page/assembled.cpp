// Decides when an assembled page may be kept, and makes an entry of it.
#include "ngx_module/page/assembled.hpp"

#include <algorithm>

#include "cache/entry.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/storable.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The rewrite module's array of codes for a location or server; null if that has no rewrite, if, set or return. The
// module does not export its configuration, whose first member this is.
ngx_array_t* rewrite_codes(void** loc_conf) {
    static const ngx_uint_t index = [] {
        for (ngx_uint_t i = 0; ngx_cycle->modules[i] != nullptr; i++) {
            if (ngx_strcmp(ngx_cycle->modules[i]->name, "ngx_http_rewrite_module") == 0)
                return ngx_cycle->modules[i]->ctx_index;
        }
        return NGX_CONF_UNSET_UINT;
    }();
    return index != NGX_CONF_UNSET_UINT ? *static_cast<ngx_array_t**>(loc_conf[index]) : nullptr;
}

template <typename Rule>
bool covers(const std::vector<Rule>& outer, const std::vector<Rule>& inner) {
    return std::all_of(inner.begin(), inner.end(), [&outer](const Rule& rule) {
        return std::any_of(outer.begin(), outer.end(),
                           [&rule](const Rule& o) { return o.text == rule.text; });
    });
}

bool same(const std::vector<ngx_http_complex_value_t>& a, const std::vector<ngx_http_complex_value_t>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const ngx_http_complex_value_t& x, const ngx_http_complex_value_t& y) {
                          return x.value.data == y.value.data;
                      });
}

}  // namespace

bool is_shared_part(const LocConf& page, ngx_http_request_t* fragment, const LocConf& fragment_conf) {
    auto* server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(fragment, ngx_http_core_module));
    if (rewrite_codes(fragment->loc_conf) != nullptr || rewrite_codes(server->ctx->loc_conf) != nullptr)
        return false;
    return covers(page.kept_cookies, fragment_conf.kept_cookies) &&
           covers(page.kept_headers, fragment_conf.kept_headers) &&
           same(page.bypass.value(), fragment_conf.bypass.value());
}

void keep_assembled_page(const Ctx& ctx, std::string_view text, const std::string& control,
                         std::span<const near_cache::Zone::Part> parts) {
    EntryView page = ctx.entry.view();
    EntryParts assembled;
    assembled.status = page.head().status;
    assembled.created_ms = page.head().created_ms;
    assembled.life = page.head().life;
    assembled.fence = page.head().fence;
    assembled.variant = page.variant();
    page.each_header([&](std::string_view name, std::string_view value) {
        // Validators and digests describe the template, not the page.
        bool goes = equals_ignore_case(name, "ETag") || equals_ignore_case(name, "Last-Modified") ||
                    is_digest_field(name);
        bool replaced = equals_ignore_case(name, "Cache-Control") || equals_ignore_case(name, "Expires");
        if (!goes && (!replaced || control.empty())) assembled.headers.push_back({name, value});
    });
    if (!control.empty()) assembled.headers.push_back({"Cache-Control", control});
    page.each_vary([&](std::string_view name) { assembled.vary.emplace_back(name); });
    std::string etag = "\"" + hash_text(text_hash(text)) + "\"";
    assembled.headers.push_back({"ETag", etag});
    assembled.body = text;
    zone().keep_assembled(ctx.key, ctx.entry.version(), entry_prefix(assembled), text, parts);
}

}  // namespace larder::ngx
