// Takes the strictest value of all parts.
#include "cache/response/parts_control.hpp"

#include <algorithm>

namespace larder {

void PartsControl::add(const CacheDirectives& said, std::int64_t age_s, std::int64_t fresh_left_s) {
    std::int64_t left = std::max<std::int64_t>(said.max_age ? *said.max_age - age_s : fresh_left_s, 0);
    left_s_ = std::min(left_s_.value_or(left), left);
    private_ = private_ || said.is_private;
    no_store_ = no_store_ || said.no_store;
    no_cache_ = no_cache_ || said.no_cache;
    must_revalidate_ = must_revalidate_ || said.must_revalidate;
}

void PartsControl::add_purged(std::int64_t bound_s) {
    left_s_ = std::min(left_s_.value_or(bound_s), bound_s);
    purged_ = true;
}

std::string PartsControl::value(const CacheDirectives& own, std::int64_t age_s) const {
    std::int64_t most = left_s_ ? age_s + *left_s_ : INT64_MAX;
    if (purged_ && left_s_ == 0) most = 0;
    bool shorter = (own.max_age && *own.max_age > most) || (own.s_maxage && *own.s_maxage > most);
    bool stricter = (private_ && !own.is_private) || (no_store_ && !own.no_store) ||
                    (no_cache_ && !own.no_cache) || (must_revalidate_ && !own.must_revalidate);
    if (!purged_ && !shorter && !stricter) return {};
    std::string text;
    auto say = [&text](const std::string& directive) {
        text.append(text.empty() ? "" : ", ").append(directive);
    };
    bool is_private = private_ || own.is_private;
    if (is_private) say("private");
    if (own.is_public && !is_private) say("public");
    if (no_store_ || own.no_store) say("no-store");
    if (no_cache_ || own.no_cache) say("no-cache");
    // After a purge, always send max-age; without it a cache could choose a lifetime.
    if (own.max_age || purged_) say("max-age=" + std::to_string(std::min(own.max_age.value_or(most), most)));
    if (own.s_maxage && !is_private) say("s-maxage=" + std::to_string(std::min(*own.s_maxage, most)));
    if (must_revalidate_ || own.must_revalidate) say("must-revalidate");
    if (own.proxy_revalidate) say("proxy-revalidate");
    if (own.no_transform) say("no-transform");
    return text;
}

bool is_lifetime_field(std::string_view name) {
    constexpr std::string_view targeted = "-Cache-Control";
    bool is_targeted = name.size() > targeted.size() &&
                       equals_ignore_case(name.substr(name.size() - targeted.size()), targeted);
    return is_targeted || equals_ignore_case(name, "Cache-Control") || equals_ignore_case(name, "Expires") ||
           equals_ignore_case(name, "Surrogate-Control") || equals_ignore_case(name, "Edge-Control") ||
           equals_ignore_case(name, "X-Accel-Expires");
}

}  // namespace larder
