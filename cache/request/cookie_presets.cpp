// Cookies that frameworks set by default. CSRF cookies (csrftoken, XSRF-TOKEN, wordpress_test_cookie) need no rule: a
// page with a token of its own sets one, and is not stored therefore.
#include <algorithm>
#include <array>

#include "cache/request/cookies.hpp"

namespace larder {

namespace {

CookieRule preset_rule(std::string_view name, CookieClass kind) {
    CookieRule rule;
    rule.name = name;
    rule.kind = kind;
    rule.text = std::string(name) + " of a preset";
    rule.of_preset = true;
    return rule;
}

CookieRule session(std::string_view name) {
    return preset_rule(name, CookieClass::presence);
}

CookieRule bypass(std::string_view name) {
    return preset_rule(name, CookieClass::bypass);
}

// Whether the value is a language tag, as django/utils/translation/trans_real.py parses it. Django ignores other
// values.
bool is_language_code(std::string_view value) {
    constexpr std::size_t longest = 35, longest_part = 8;
    std::size_t part = 0;
    for (unsigned char c : value) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c != '-' && !letter && !(c >= '0' && c <= '9')) return false;
        part = c == '-' ? 0 : part + 1;
        if (part > longest_part) return false;
    }
    return value.size() <= longest && part > 0 && value.front() != '-' && value.find("--") == value.npos;
}

CookieRule django_language() {
    CookieRule rule = preset_rule("django_language", CookieClass::value);
    rule.filter.allows = is_language_code;
    return rule;
}

}  // namespace

std::vector<CookieRule> cookie_preset(std::string_view framework) {
    // SESSION_COOKIE_NAME and LANGUAGE_COOKIE_NAME of django/conf/global_settings.py. Messages
    // (django/contrib/messages/storage/cookie.py) are shown once, to one person.
    if (framework == "django") return {session("sessionid"), bypass("messages"), django_language()};
    // "_NAME_session" is the key in config/initializers/session_store.rb; Devise's is in
    // lib/devise/models/rememberable.rb.
    if (framework == "rails") return {session("_*_session"), session("remember_*_token")};
    // config/session.php: the slug of APP_NAME with "_session", or "-session" in newer skeletons;
    // Illuminate/Auth/SessionGuard.php.
    if (framework == "laravel") return {session("*_session"), session("*-session"), session("remember_*")};
    // session.name of php.ini.
    if (framework == "php") return {session("PHPSESSID")};
    // wp-includes/default-constants.php. Comment forms and protected posts depend on the values of their cookies. The
    // last two are set by WooCommerce when there is something in the cart.
    if (framework == "wordpress")
        return {session("wordpress_logged_in_*"), bypass("wp-postpass_*"), bypass("comment_author_*"),
                session("woocommerce_items_in_cart"), session("wp_woocommerce_session_*")};
    // getVaryCookies() of includes/session/CookieSessionProvider.php. LoggedOut only tells a browser which of its
    // copies are outdated.
    if (framework == "mediawiki") return {session("*_session"), session("*Token"), session("forceHTTPS")};
    // index.js of express-session.
    if (framework == "express") return {session("connect.sid")};
    return {};
}

bool is_session_name(std::string_view name) {
    static constexpr std::array<std::string_view, 9> known{
        "sessionid", "PHPSESSID", "connect.sid",           "JSESSIONID",       "ASP.NET_SessionId",
        "*_session", "*-session", "wordpress_logged_in_*", "remember_*_token",
    };
    return std::any_of(known.begin(), known.end(),
                       [name](std::string_view pattern) { return matches_cookie_name(pattern, name); });
}

}  // namespace larder
