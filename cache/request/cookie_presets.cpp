// Cookies that frameworks set by default. CSRF cookies (csrftoken, XSRF-TOKEN, wordpress_test_cookie) have no rule: pages do
// not depend on them, so the key does without.
#include "cache/request/cookies.hpp"

namespace larder {

namespace {

CookieRule preset_rule(std::string_view name, CookieClass kind) {
    CookieRule rule;
    rule.name = name;
    rule.kind = kind;
    rule.text = std::string(name) + (kind == CookieClass::bypass ? " bypass " : " presence ");
    return rule;
}

}  // namespace

std::vector<CookieRule> cookie_preset(std::string_view framework) {
    constexpr CookieClass presence = CookieClass::presence, bypass = CookieClass::bypass;
    // SESSION_COOKIE_NAME in django/conf/global_settings.py; django/contrib/messages/storage/cookie.py: shown once, to one person.
    if (framework == "django") return {preset_rule("messages", bypass), preset_rule("sessionid", presence)};
    // key: "_NAME_session" in the generated config/initializers/session_store.rb.
    if (framework == "rails") return {preset_rule("_*_session", presence)};
    // config/session.php: the slug of APP_NAME and "_session", "-session" in newer skeletons.
    if (framework == "laravel")
        return {preset_rule("*-session", presence), preset_rule("*_session", presence)};
    // session.name of php.ini.
    if (framework == "php") return {preset_rule("PHPSESSID", presence)};
    // wp-includes/default-constants.php; comment forms and protected posts show what their cookies say.
    if (framework == "wordpress")
        return {preset_rule("comment_author_*", bypass), preset_rule("wordpress_logged_in_*", presence),
                preset_rule("wp-postpass_*", bypass)};
    // index.js of express-session.
    if (framework == "express") return {preset_rule("connect.sid", presence)};
    return {};
}

}  // namespace larder
