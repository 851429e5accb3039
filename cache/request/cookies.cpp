// Parses Cookie fields and applies the rules.
#include "cache/request/cookies.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "cache/hmac.hpp"
#include "cache/request/key.hpp"
#include "cache/response/fields.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace larder {

namespace {

// cookie-octet of RFC 6265 section 4.1.1, plus what browsers send as well: spaces, commas and others.
bool is_legal_value(std::string_view value) {
    return std::all_of(value.begin(), value.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != ';'; });
}

bool is_legal_name(std::string_view name) {
    return !name.empty() &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// Removes quotes around a value, as readers do, unless something inside would need unescaping.
std::string_view unquoted(std::string_view value) {
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
    std::string_view inner = value.substr(1, value.size() - 2);
    return inner.find_first_of("\"\\ ,") == std::string_view::npos ? inner : value;
}

const CookieRule* rule_for(std::span<const CookieRule> rules, std::string_view name) {
    auto exact = std::lower_bound(
        rules.begin(), rules.end(), name,
        [](const CookieRule& rule, std::string_view n) { return !rule.is_pattern() && rule.name < n; });
    if (exact != rules.end() && exact->name == name) return &*exact;
    for (auto rule = rules.rbegin(); rule != rules.rend() && rule->is_pattern(); ++rule) {
        if (rule->covers(name)) return &*rule;
    }
    return nullptr;
}

std::string_view digest_into(std::array<char, 24>& text, const std::string& key, std::string_view name,
                             std::string_view value) {
    std::string input = std::string(name) + "=" + std::string(value);
    auto mac = hmac_sha256(key, input);
    Key digest;
    std::copy_n(mac.begin(), digest.bytes.size(), digest.bytes.begin());
    std::string encoded = digest.text();
    std::copy(encoded.begin(), encoded.end(), text.begin());
    return {text.data(), encoded.size()};
}

template <typename F>
void each_cookie(std::string_view field, F&& f) {
    for (std::size_t at = 0; at < field.size();) {
        std::size_t end = std::min(field.find(';', at), field.size());
        std::string_view pair = trim_ows(field.substr(at, end - at));
        at = end + 1;
        auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        f(trim_ows(pair.substr(0, equals)), unquoted(trim_ows(pair.substr(equals + 1))));
    }
}

}  // namespace

bool CookieRule::is_pattern() const {
    return name.find('*') != std::string::npos;
}

bool CookieRule::covers(std::string_view cookie) const {
    return matches_cookie_name(name, cookie);
}

bool matches_cookie_name(std::string_view pattern, std::string_view cookie) {
    auto star = pattern.find('*');
    if (star == std::string_view::npos) return cookie == pattern;
    std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
    return cookie.size() >= before.size() + after.size() && cookie.substr(0, before.size()) == before &&
           cookie.substr(cookie.size() - after.size()) == after;
}

bool operator<(const CookieRule& a, const CookieRule& b) {
    return a.is_pattern() != b.is_pattern() ? b.is_pattern() : a.name < b.name;
}

std::size_t KeptCookies::place(std::string_view name) const {
    auto at = std::lower_bound(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(count_), name,
                               [](const KeptCookie& cookie, std::string_view n) { return cookie.name < n; });
    return static_cast<std::size_t>(at - list_.begin());
}

std::string_view KeptCookies::value_of(std::string_view name, std::string_view sent, const CookieRule& rule,
                                       std::int64_t now_s) {
    switch (rule.kind) {
        case CookieClass::presence:
        case CookieClass::bypass:
        case CookieClass::ignore:
            break;  // not kept
        case CookieClass::value:
            return rule.filter(sent);
        case CookieClass::bucket: {
            auto& text = texts_[texts_used_++];
            auto number = XXH3_64bits(sent.data(), sent.size()) % rule.buckets;
            auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
            return {text.data(), static_cast<std::size_t>(end - text.data())};
        }
        case CookieClass::personal:
            return digest_into(texts_[texts_used_++], rule.digest_key, name, sent);
        case CookieClass::verified:
            return rule.filter(rule.signer->unsign(sent, now_s, rule.max_age_s).value_or(std::string_view()));
    }
    return {};
}

void KeptCookies::add(std::string_view name, std::string_view sent, const CookieRule& rule,
                      std::int64_t now_s) {
    std::size_t at = place(name);
    if (count_ == list_.size() || (at < count_ && list_[at].name == name)) return;
    CookieKind kind = rule.kind == CookieClass::personal   ? CookieKind::digest
                      : rule.kind == CookieClass::verified ? CookieKind::verified
                                                           : CookieKind::plain;
    // Insert even an empty value, so that a later cookie of the same name is ignored.
    KeptCookie cookie{name, value_of(name, sent, rule, now_s), kind};
    auto from = static_cast<std::ptrdiff_t>(at), to = static_cast<std::ptrdiff_t>(count_);
    std::copy_backward(list_.begin() + from, list_.begin() + to, list_.begin() + to + 1);
    std::copy_backward(sources_.begin() + from, sources_.begin() + to, sources_.begin() + to + 1);
    list_[at] = cookie;
    sources_[at] = {&rule, sent};
    count_++;
    personal_ = personal_ || rule.kind == CookieClass::personal;
    near_only_ = near_only_ || (rule.kind == CookieClass::personal && !rule.shared);
}

void KeptCookies::collect(std::span<const std::string_view> fields, std::span<const CookieRule> rules,
                          std::int64_t now_s) {
    count_ = texts_used_ = 0;
    bypass_ = session_ = personal_ = near_only_ = false;
    if (rules.empty()) return;
    for (std::string_view field : fields) {
        each_cookie(field, [&](std::string_view name, std::string_view value) {
            const CookieRule* rule = value.empty() ? nullptr : rule_for(rules, name);
            if (rule == nullptr || rule->kind == CookieClass::ignore) return;
            // Nothing of these two is sent on, so illegal values count too: the backend may accept them.
            if (rule->kind == CookieClass::presence)
                session_ = true;
            else if (rule->kind == CookieClass::bypass)
                bypass_ = true;
            else if (is_legal_value(value) && is_legal_name(name))
                add(name, value, *rule, now_s);
        });
    }
    for (const CookieRule& rule : rules) {
        if (!rule.filter.fallback.empty() && !rule.is_pattern()) {
            std::size_t at = place(rule.name);
            if (at == count_ || list_[at].name != rule.name)
                add(rule.name, rule.filter.fallback, rule, now_s);
        }
    }
    // Remove those whose value turned out to be empty.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; i++) {
        if (list_[i].value.empty()) continue;
        list_[kept] = list_[i];
        sources_[kept++] = sources_[i];
    }
    count_ = kept;
}

std::string KeptCookies::field(std::int64_t now_s) const {
    std::string text;
    for (std::size_t i = 0; i < count_; i++) {
        const KeptCookie& cookie = list_[i];
        if (!text.empty()) text.append("; ");
        text.append(cookie.name).append("=");
        if (cookie.kind == CookieKind::digest)
            text.append(sources_[i].sent);
        else if (cookie.kind == CookieKind::verified)
            text.append(sources_[i].rule->signer->sign(cookie.value, now_s));
        else
            text.append(cookie.value);
    }
    return text;
}

std::optional<std::string_view> first_cookie(std::string_view field, std::string_view name) {
    std::optional<std::string_view> found;
    each_cookie(field, [&](std::string_view other, std::string_view value) {
        if (other == name && !found) found = value;
    });
    return found;
}

std::optional<std::string_view> last_cookie(std::string_view field, std::string_view name) {
    std::optional<std::string_view> found;
    each_cookie(field, [&](std::string_view other, std::string_view value) {
        if (other == name) found = value;
    });
    return found;
}

}  // namespace larder
