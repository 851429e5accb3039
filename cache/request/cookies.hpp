// Cookies: reduces what a browser sent to what the key holds of it, by the operator's rules. A cookie without a rule
// is dropped.
//
// Different spellings of the same cookies give the same result: order, spaces, quotes, cookies without a rule,
// malformed cookies, and repeated names (the first valid one counts) make no difference. A cookie with an empty value
// counts as absent, as a session's cookie after logout does.
//
// A session's cookie is not kept at all. Any text in its place would be a session id to the backend: PHP opens a
// session with whatever id it receives, for everybody who sends it. The cookie only tells that its visitor has a
// session.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/request/variant.hpp"
#include "cache/signer.hpp"

namespace larder {

enum class CookieClass : std::uint8_t {
    presence,  // of a session; not kept: it tells that the visitor has one
    value,     // kept as sent
    bucket,    // replaced by a number below `buckets`, which depends on the value alone and is what the backend sees
    personal,  // ("private") replaced by a keyed digest; the entry belongs to this person
    verified,  // ("signed") kept if it has a valid signature of ours; otherwise absent
    bypass,    // not kept: the request bypasses the cache
    ignore,    // not kept: an exception from a pattern or a preset
};

// Restricts values. A value that is not allowed is replaced by `fallback`. If that is empty, the cookie counts as
// absent.
struct ValueFilter {
    std::function<bool(std::string_view)> allows;  // null: all values
    std::string fallback;                          // also replaces an absent value

    std::string_view operator()(std::string_view value) const {
        return value.empty() || (allows && !allows(value)) ? std::string_view(fallback) : value;
    }
};

struct CookieRule {
    std::string name;  // or a pattern with one '*', which matches any text
    std::string text;  // as configured; rules with the same text are equal
    CookieClass kind = CookieClass::value;
    std::uint32_t buckets = 0;
    bool shared = false;                   // personal: entries may be kept in a store as well
    std::int64_t max_age_s = 0;            // verified: longest age of a signature, in seconds
    ValueFilter filter;                    // value, verified
    std::shared_ptr<const Signer> signer;  // verified
    std::string digest_key;                // personal
    bool of_preset = false;                // from a preset: a line of the configuration replaces it

    bool is_pattern() const;
    bool covers(std::string_view cookie) const;
};

// By name, bytewise; patterns after all others. The functions below need rules sorted like this.
bool operator<(const CookieRule& a, const CookieRule& b);

// The cookies kept of one request. Values may refer to the request's fields or to this object, so it can't be moved.
class KeptCookies {
public:
    KeptCookies() = default;
    KeptCookies(const KeptCookies&) = delete;
    KeptCookies& operator=(const KeptCookies&) = delete;

    // Replaces the previous result. `fields`: the lines of the request's Cookie field. Keeps at most 64 cookies, the
    // first ones.
    void collect(std::span<const std::string_view> fields, std::span<const CookieRule> rules,
                 std::int64_t now_s);

    // Sorted by name, bytewise.
    std::span<const KeptCookie> cookies() const { return {list_.data(), count_}; }
    bool bypass() const { return bypass_; }
    bool session() const { return session_; }       // a cookie of class presence was sent
    bool personal() const { return personal_; }     // a cookie of class personal was sent
    bool shareable() const { return !near_only_; }  // false: such a cookie, and its entries must not be kept in a store

    // The Cookie field for the backend. It contains the kept cookies, personal ones as the client sent them, and
    // verified ones with a new signature.
    std::string field(std::int64_t now_s) const;

private:
    struct Source {
        const CookieRule* rule;
        std::string_view sent;  // as the client sent it
    };

    void add(std::string_view name, std::string_view sent, const CookieRule& rule, std::int64_t now_s);
    std::string_view value_of(std::string_view name, std::string_view sent, const CookieRule& rule,
                              std::int64_t now_s);
    std::size_t place(std::string_view name) const;

    std::array<KeptCookie, max_variant_pairs> list_;
    std::array<Source, max_variant_pairs> sources_;
    std::array<std::array<char, 24>, max_variant_pairs> texts_;  // storage for numbers and digests
    std::size_t count_ = 0, texts_used_ = 0;
    bool bypass_ = false, session_ = false, personal_ = false, near_only_ = false;
};

// The value of the first cookie of this name in a Cookie field, as a view into it. nullopt: none.
std::optional<std::string_view> first_cookie(std::string_view field, std::string_view name);
// The value of the last cookie of this name, which is the one that Django uses.
std::optional<std::string_view> last_cookie(std::string_view field, std::string_view name);

// Whether the cookie's name matches the pattern, which may contain one '*' for any text.
bool matches_cookie_name(std::string_view pattern, std::string_view cookie);

// Rules for the cookies that a framework sets by default, unsorted. Empty if the framework is unknown.
std::vector<CookieRule> cookie_preset(std::string_view framework);
inline constexpr std::string_view cookie_presets =
    "django, rails, laravel, php, wordpress, mediawiki or express";

// Whether frameworks name session cookies like this. Then a bucket number or a default in its place would be a
// session id.
bool is_session_name(std::string_view name);

}  // namespace larder
