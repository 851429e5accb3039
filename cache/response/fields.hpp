// Parses header fields that steer caching: lists, directives, dates. Returned views refer to the given text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder {

// ASCII alone. Inline, for nearly all pairs that a request compares differ in length.
inline bool equals_ignore_case(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [lower](char x, char y) { return lower(x) == lower(y); });
}
bool contains_ignore_case(std::string_view text, std::string_view part);
std::string lower_case(std::string_view text);  // changes ASCII letters only
std::string_view trim_ows(std::string_view text);  // without optional white space (RFC 9110 section 5.6.3)

// Seconds for which a site asks to be left alone (Retry-After, RFC 9110 section 10.2.3), at most 3600; 0 if it does
// not ask. A date is compared with the site's own Date, as clocks differ; without one, with now_s.
std::int64_t retry_after_s(std::string_view value, std::string_view date, std::int64_t now_s);

// Calls f(element) for each element of a comma-separated list (RFC 9110 section 5.6.1). Commas in quoted strings
// don't separate; empty elements are skipped. An unterminated quote is an ordinary character, so that no element
// hides behind it.
template <typename F>
void each_list_element(std::string_view list, F&& f);

// delta-seconds (RFC 9111 section 1.2.2): digits only; larger values give 2^31. nullopt if malformed.
std::optional<std::int64_t> parse_delta_seconds(std::string_view text);

// An HTTP-date in any of its three forms (RFC 9110 section 5.6.7) as Unix time in seconds. nullopt if malformed.
// Compared without case (RFC 9111 section 4.2). Two-digit years mean 1970 to 2069.
std::optional<std::int64_t> parse_http_date(std::string_view text);

// Whether Last-Modified (Unix time in seconds) is a strong validator of an answer that was rendered from `began_ms`
// on, by the clock that set the date (RFC 9110 section 8.8.2.2).
bool is_strong_date(std::int64_t modified_s, std::int64_t began_ms);

// A directive of Cache-Control: "name" or "name=argument". The argument has no quotes.
struct CacheDirective {
    std::string_view name, argument;
    bool has_argument;
};
CacheDirective split_directive(std::string_view element);

// The directives of Cache-Control, Surrogate-Control or a targeted field. Of duplicates the first counts (RFC 9111
// section 4.2.1). A malformed max-age or s-maxage counts as 0, as stale is safer than fresh.
struct CacheDirectives {
    std::optional<std::int64_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;  // seconds
    bool no_store = false, no_cache = false, is_private = false, is_public = false;
    bool must_revalidate = false, proxy_revalidate = false, must_understand = false, no_transform = false;
    bool esi = false;  // Surrogate-Control: content="ESI/1.0"

    bool says_lifetime() const { return max_age.has_value() || s_maxage.has_value(); }
    bool forbids() const { return no_store || no_cache || is_private; }
};

// Adds the directives of one line of Cache-Control (RFC 9111 section 5.2).
void add_cache_control(std::string_view field, CacheDirectives& into);
// Adds the directives of one line of Surrogate-Control: the same, plus max-age=FRESH+STALE and content="ESI/1.0".
// Skips directives for another surrogate (";name", except for larder).
void add_surrogate_control(std::string_view field, CacheDirectives& into);
// Parses a targeted field, with its lines joined by commas. It is a Structured Fields Dictionary (RFC 9213 section
// 2.1, RFC 8941 section 3.2). nullopt if it is empty or malformed, so must be ignored. Of duplicates the last counts.
std::optional<CacheDirectives> parse_targeted_cache_control(std::string_view joined);

// The position of the quote that ends the quoted string beginning at `open`; npos if none does.
std::size_t closing_quote(std::string_view text, std::size_t open);

template <typename F>
void each_list_element(std::string_view list, F&& f) {
    std::size_t start = 0;
    bool quotes_end = true;
    for (std::size_t i = 0; i <= list.size(); i++) {
        if (i < list.size()) {
            if (list[i] == '"' && quotes_end) {
                auto close = closing_quote(list, i);
                quotes_end = close != std::string_view::npos;
                if (quotes_end) i = close;
            }
            if (list[i] != ',') continue;
        }
        std::string_view element = trim_ows(list.substr(start, i - start));
        if (!element.empty()) f(element);
        start = i + 1;
    }
}

}  // namespace larder
