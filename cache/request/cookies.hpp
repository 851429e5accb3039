// Cookies: from what a browser sent to what the key holds of it, by the operator's rules. No rule, no cookie.
//
// Every way to write the same cookies gives the same result: order, spaces, quotes, cookies without a rule, malformed ones and
// repeated names (the first counts) change nothing. An empty value is an absent cookie: so is a session's after logout.
//
// The cookie of a session is not kept at all. Any text in its place would be a session id to the backend: PHP opens a session
// of whatever id it is sent, for everybody who sends it. It only says that its visitor has a session.
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
    presence,  // of a session: its visitor has one
    value,     // its value
    bucket,    // a number below `buckets`, the same for the same value always: the backend sees the number
    personal,  // ("private") its value, of which only a keyed digest is kept: the entry is this person's
    verified,  // ("signed") the value that a signature of ours vouches for; anything else counts as absent
    bypass,    // a request with it is not for the cache
    ignore,    // as if it had no rule: an exception to a pattern or a preset
};

// Which values count. What is not allowed is replaced by `fallback`; an empty fallback makes it absent.
struct ValueFilter {
    std::function<bool(std::string_view)> allows;  // none: all
    std::string fallback;                          // also for what is absent

    std::string_view operator()(std::string_view value) const {
        return value.empty() || (allows && !allows(value)) ? std::string_view(fallback) : value;
    }
};

struct CookieRule {
    std::string name;  // or a pattern with one '*', which stands for any text
    std::string text;  // as configured: rules of the same text do the same
    CookieClass kind = CookieClass::value;
    std::uint32_t buckets = 0;
    bool shared = false;                   // personal: may be kept in a store, too
    std::int64_t max_age_s = 0;            // verified: how old a signature may be
    ValueFilter filter;                    // value, verified
    std::shared_ptr<const Signer> signer;  // verified
    std::string digest_key;                // personal
    bool of_preset = false;                // a line of its own goes before it

    bool is_pattern() const;
    bool covers(std::string_view cookie) const;
};

// In byte order of names, patterns after the others: what the functions below expect.
bool operator<(const CookieRule& a, const CookieRule& b);

// What is kept of one request. Values may point into the fields and into this object, which hence does not move.
class KeptCookies {
public:
    KeptCookies() = default;
    KeptCookies(const KeptCookies&) = delete;
    KeptCookies& operator=(const KeptCookies&) = delete;

    // `fields`: the request's Cookie field lines. Replaces what was kept before. Cookies past the 64th are not kept.
    void collect(std::span<const std::string_view> fields, std::span<const CookieRule> rules,
                 std::int64_t now_s);

    // In byte order of names.
    std::span<const KeptCookie> cookies() const { return {list_.data(), count_}; }
    bool bypass() const { return bypass_; }
    bool session() const { return session_; }       // a cookie of class presence is there
    bool personal() const { return personal_; }     // a cookie of class personal is there
    bool shareable() const { return !near_only_; }  // false: and one of those must not be kept in a store

    // The Cookie field to send to the backend for them: as the variant says, but a personal cookie as the client sent it, and
    // a verified one signed anew.
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
    std::array<std::array<char, 24>, max_variant_pairs> texts_;  // of numbers and digests
    std::size_t count_ = 0, texts_used_ = 0;
    bool bypass_ = false, session_ = false, personal_ = false, near_only_ = false;
};

// The value of the first cookie of this name in a Cookie field. The view points into `field`.
std::optional<std::string_view> first_cookie(std::string_view field, std::string_view name);
// The value of the last cookie of this name in a Cookie field, the one that Django takes.
std::optional<std::string_view> last_cookie(std::string_view field, std::string_view name);

// Whether a rule's name, which may have one '*' for any text, is that of this cookie.
bool matches_cookie_name(std::string_view pattern, std::string_view cookie);

// The rules, in no order, for the cookies that a framework sets unless the site says otherwise; none for a framework that
// isn't known.
std::vector<CookieRule> cookie_preset(std::string_view framework);
inline constexpr std::string_view cookie_presets =
    "django, rails, laravel, php, wordpress, mediawiki or express";

// Whether frameworks give sessions cookies of this name. A number or a default in the place of such a value is a session id.
bool is_session_name(std::string_view name);

}  // namespace larder
