#include "ngx_module/directives/advice.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "ngx_module/module.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The value that another module's directive has for a location; null: this nginx has no such directive. The layout of
// the other module's configuration is private, but its command table tells each directive's offset in it.
template <typename T>
const T* set_by(const ngx_cycle_t* cycle, void** loc_conf, std::string_view directive) {
    for (ngx_module_t** place = cycle->modules; *place != nullptr; place++) {
        const ngx_module_t& module = **place;
        if (module.type != NGX_HTTP_MODULE || module.commands == nullptr) continue;
        for (const ngx_command_t* command = module.commands; command->name.len != 0; command++) {
            if (command->conf == NGX_HTTP_LOC_CONF_OFFSET && view(command->name) == directive)
                return reinterpret_cast<const T*>(static_cast<char*>(loc_conf[module.ctx_index]) +
                                                  command->offset);
        }
    }
    return nullptr;
}

// The first variable in the text that differs between visitors who share a key. Not meant are request ids, and
// addresses in the header fields that exist for them: sites log those.
std::string_view visitors_variable(std::string_view text) {
    static constexpr std::array<std::string_view, 10> beginnings = {
        "remote_addr", "binary_remote_addr", "remote_port",
        "remote_user", "realip_remote_",     "geoip_",
        "geoip2_",     "ssl_client_",        "proxy_add_x_forwarded_for",
        "connection"};
    for (std::size_t at = text.find('$'); at != text.npos; at = text.find('$', at + 1)) {
        std::string_view name = text.substr(at + 1);
        if (name.starts_with('{')) name.remove_prefix(1);
        name = name.substr(0, name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"));
        for (std::string_view beginning : beginnings) {
            bool is_family = beginning.ends_with('_');
            if (is_family ? name.starts_with(beginning) : name == beginning) return name;
        }
    }
    return {};
}

bool is_for_logs(const ngx_str_t& field) {
    static constexpr std::array<std::string_view, 6> fields = {
        "x-real-ip", "x-forwarded-for", "forwarded", "x-client-ip", "true-client-ip", "connection"};
    return std::any_of(fields.begin(), fields.end(),
                       [&](std::string_view one) { return equals(field, one); });
}

bool is_kept(const LocConf& conf, const ngx_str_t& field) {
    return std::any_of(conf.kept_headers.begin(), conf.kept_headers.end(),
                       [&](const HeaderRule& rule) { return equals(field, rule.name); });
}

class Advisor {
public:
    Advisor(ngx_conf_t* cf, const MainConf& main) : cf_(cf), main_(main) {}

    void on(void** loc_conf) {
        loc_conf_ = loc_conf;
        on_headers();
        on_sizes();
        on_compression();
    }

private:
    const LocConf& conf() const {
        return *static_cast<LocConf*>(loc_conf_[ngx_http_larder_module.ctx_index]);
    }

    void say(const std::string& what) const {
        auto* core = static_cast<ngx_http_core_loc_conf_t*>(loc_conf_[ngx_http_core_module.ctx_index]);
        std::string_view name = view(core->name);
        std::string where = name.empty() ? "" : "location \"" + std::string(name) + "\": ";
        ngx_log_error(NGX_LOG_WARN, cf_->log, 0, "larder: %s%s", where.c_str(), what.c_str());
    }

    void on_headers() const {
        auto* set = set_by<ngx_array_t*>(cf_->cycle, loc_conf_, "proxy_set_header");
        if (set == nullptr || *set == nullptr) return;
        auto* fields = static_cast<ngx_keyval_t*>((*set)->elts);
        for (ngx_uint_t i = 0; i < (*set)->nelts; i++) {
            std::string_view variable = visitors_variable(view(fields[i].value));
            if (variable.empty() || is_for_logs(fields[i].key) || is_kept(conf(), fields[i].key)) continue;
            std::string field(view(fields[i].key));
            say("proxy_set_header " + field + " has $" + std::string(variable) +
                ", which differs between visitors who share a page: if the site makes pages by it, the first "
                "visitor's is everyone's; keep it by \"larder_header " +
                field + " value=...\", or leave it out");
        }
    }

    // The zone stores no page larger than about a quarter of it.
    void on_sizes() const {
        std::size_t most = (main_.zone != nullptr ? main_.zone->shm.size : 0) / 4;
        if (most == 0 || conf().where.value().store != nullptr || conf().max_size.value() <= most) return;
        say("larder_max_size is more than a quarter of larder_zone: pages above " +
            std::to_string(most / 1024) + "k are not kept");
    }

    // Said once, as it is usually the same for all locations.
    void on_compression() {
        auto* gzip = set_by<ngx_flag_t>(cf_->cycle, loc_conf_, "gzip");
        if (said_of_compression_ || gzip == nullptr || *gzip != 1 || !conf().codings.value().empty()) return;
        said_of_compression_ = true;
        say("gzip compresses a kept page anew for each visitor; with \"larder_encoding gzip\" and a site "
            "that compresses it is kept as it is sent");
    }

    ngx_conf_t* cf_;
    const MainConf& main_;
    void** loc_conf_ = nullptr;
    bool said_of_compression_ = false;
};

}  // namespace

void give_advice(ngx_conf_t* cf, const MainConf& conf) {
    Advisor advisor(cf, conf);
    for (void** loc_conf : conf.caching) advisor.on(loc_conf);
}

}  // namespace larder::ngx
