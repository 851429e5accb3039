// Parsing of the header fields that steer caching: lists, directives, dates. Views point into the given text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder {

bool equals_ignore_case(std::string_view a, std::string_view b);
bool contains_ignore_case(std::string_view text, std::string_view part);
std::string lower_case(std::string_view text);  // ASCII alone
std::string_view trim_ows(std::string_view text);  // optional white space of RFC 9110 section 5.6.3

// How many seconds a site asks to be left alone (Retry-After, RFC 9110 section 10.2.3); 0 when it doesn't say. A date is read against
// the site's own Date, as clocks differ.
std::int64_t retry_after_s(std::string_view value, std::string_view date, std::int64_t now_s);

// Calls f(element) for each element of a comma-separated list (RFC 9110 section 5.6.1), quoted strings kept whole,
// empty elements skipped. A quote that never ends quotes nothing: no element hides behind it.
template <typename F>
void each_list_element(std::string_view list, F&& f);

// delta-seconds (RFC 9111 section 1.2.2): digits only; larger than 2^31 counts as 2^31. Nothing if malformed.
std::optional<std::int64_t> parse_delta_seconds(std::string_view text);

// An HTTP-date in any of its three forms (RFC 9110 section 5.6.7) as Unix seconds; nothing for anything else. In any case
// (RFC 9111 section 4.2). Years of two digits are 1970 to 2069.
std::optional<std::int64_t> parse_http_date(std::string_view text);

// Whether Last-Modified (Unix seconds) is a strong validator of what was rendered from `began_ms` on, by the clock that the date
// is of (RFC 9110 section 8.8.2.2).
bool is_strong_date(std::int64_t modified_s, std::int64_t began_ms);

// One directive of a Cache-Control field: "name" or "name=argument", the argument without its quotes.
struct CacheDirective {
    std::string_view name, argument;
    bool has_argument;
};
CacheDirective split_directive(std::string_view element);

// What Cache-Control, Surrogate-Control or a targeted field said. The first of duplicate directives counts
// (RFC 9111 section 4.2.1); a max-age or s-maxage with a malformed argument counts as 0: stale is safer than fresh.
struct CacheDirectives {
    std::optional<std::int64_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;  // seconds
    bool no_store = false, no_cache = false, is_private = false, is_public = false;
    bool must_revalidate = false, proxy_revalidate = false, must_understand = false, no_transform = false;
    bool esi = false;  // Surrogate-Control: content="ESI/1.0"

    bool says_lifetime() const { return max_age.has_value() || s_maxage.has_value(); }
    bool forbids() const { return no_store || no_cache || is_private; }
};

// Adds the directives of one Cache-Control field line (RFC 9111 section 5.2).
void add_cache_control(std::string_view field, CacheDirectives& into);
// Adds those of one Surrogate-Control field line: as above, and max-age=FRESH+STALE, content="ESI/1.0"; directives
// addressed to another surrogate (";name" other than larder) are skipped.
void add_surrogate_control(std::string_view field, CacheDirectives& into);
// A targeted field, all its lines joined by commas, is a Structured Fields Dictionary (RFC 9213 section 2.1, RFC 8941
// section 3.2): empty or malformed means ignored, hence nothing. The last of duplicates counts.
std::optional<CacheDirectives> parse_targeted_cache_control(std::string_view joined);

// Where the quoted string that begins at `open` ends; npos if it doesn't.
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
