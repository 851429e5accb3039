// Storability and freshness, in the order of the conditions in RFC 9111 section 3.
#include "cache/response/storable.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "cache/request/coding.hpp"
#include "cache/response/fields.hpp"

namespace larder {

namespace {

constexpr std::int64_t second_ms = 1000;
// The longest lifetime, which is that of delta-seconds (RFC 9111 section 1.2.2), and the longest name of a tag or
// header in an entry.
constexpr std::int64_t longest_s = std::int64_t{1} << 31;
constexpr std::size_t longest_name = 65535;

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::any_of(names.begin(), names.end(),
                       [name](std::string_view n) { return equals_ignore_case(name, n); });
}

constexpr std::array<std::string_view, 6> steering_fields = {
    "Surrogate-Control", "Surrogate-Key", "Cache-Tag", "Cache-Tags", "xkey", "X-Cache-Tags"};
constexpr std::string_view audience_field = "Larder-Audience";
// Fields that are hop-by-hop (RFC 9110 section 7.6.1), that are set anew by whoever serves the entry, or that must
// not be shared.
constexpr std::array<std::string_view, 17> unstored_fields = {"Connection",
                                                              "Keep-Alive",
                                                              "Proxy-Connection",
                                                              "Proxy-Authenticate",
                                                              "Proxy-Authentication-Info",
                                                              "TE",
                                                              "Trailer",
                                                              "Transfer-Encoding",
                                                              "Upgrade",
                                                              "Content-Length",
                                                              "Age",
                                                              "Set-Cookie",
                                                              "Accept-Ranges",
                                                              "Cache-Status",
                                                              "X-Accel-Redirect",
                                                              "X-Accel-Expires",
                                                              "X-Accel-Buffering"};

// The fields that steer caching, collected in one pass.
struct Steering {
    CacheDirectives surrogate, cache_control;
    std::vector<std::string> targeted;  // for each targeted field of the policy: all its lines
    bool has_surrogate = false;
    std::string_view expires, age, content_type, etag, last_modified;
    std::optional<std::int64_t> date_s;  // the first valid Date
    std::string_view date;               // the same, as received
    std::string_view accel_expires;      // X-Accel-Expires, if valid
    bool has_expires = false;
    bool set_cookie = false, content_range = false, content_length = false, unbuffered = false,
         nonce = false;
    std::optional<bool> everybody;  // true if every line of Larder-Audience says "everybody"
    std::string coding;  // see content_coding()
    std::vector<std::string_view> vary, connection, tags;
};

void add_tags(std::string_view field, std::string_view separators, std::vector<std::string_view>& tags) {
    for (std::size_t at = 0; at < field.size();) {
        auto end = std::min(field.find_first_of(separators, at), field.size());
        std::string_view tag = trim_ows(field.substr(at, end - at));
        at = end + 1;
        if (tag.empty() || tags.size() > max_entry_tags) continue;
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
    }
}

// Seconds, or "@" and a Unix time. nullopt for anything else, which proxy_cache ignores as well.
std::optional<std::int64_t> parse_accel_expires(std::string_view value) {
    if (value.substr(0, 1) == "@") value.remove_prefix(1);
    std::int64_t seconds = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    bool good = error == std::errc() && end == value.data() + value.size() && seconds >= 0;
    return good ? std::optional(seconds) : std::nullopt;
}

auto find_targeted(const Policy& policy, std::string_view name) {
    return std::find_if(policy.targeted.begin(), policy.targeted.end(),
                        [name](const std::string& ours) { return equals_ignore_case(ours, name); });
}

// The first field that is present and well-formed.
std::optional<CacheDirectives> targeted_directives(const std::vector<std::string>& fields) {
    for (const std::string& field : fields) {
        if (auto directives = parse_targeted_cache_control(field)) return directives;
    }
    return std::nullopt;
}

Steering gather(const Policy& policy, const Answer& answer) {
    Steering s;
    s.coding = content_coding(answer.headers);
    s.targeted.resize(policy.targeted.size());
    for (const NamedValue& field : answer.headers) {
        auto target = find_targeted(policy, field.name);
        auto is = [&field](std::string_view name) { return equals_ignore_case(field.name, name); };
        if (is("Cache-Control")) {
            add_cache_control(field.value, s.cache_control);
        } else if (is("Surrogate-Control")) {
            s.has_surrogate = true;
            add_surrogate_control(field.value, s.surrogate);
        } else if (target != policy.targeted.end()) {
            std::string& lines = s.targeted[static_cast<std::size_t>(target - policy.targeted.begin())];
            lines.append(lines.empty() ? "" : ", ").append(field.value);
        } else if (is("Expires")) {
            if (!s.has_expires) s.expires = field.value;
            s.has_expires = true;
        } else if (is("Date")) {
            if (s.date_s) continue;
            s.date_s = parse_http_date(trim_ows(field.value));
            if (s.date_s) s.date = field.value;
        } else if (is("X-Accel-Expires")) {
            std::string_view value = trim_ows(field.value);
            if (parse_accel_expires(value)) s.accel_expires = value;
        } else if (is("Age")) {
            // The first member of the first line (RFC 9111 section 5.1).
            if (s.age.empty()) s.age = trim_ows(field.value.substr(0, field.value.find(',')));
        } else if (is("Content-Type")) {
            s.content_type = field.value;
        } else if (is("Content-Range")) {
            s.content_range = true;
        } else if (is("Content-Length")) {
            s.content_length = true;
        } else if (is("X-Accel-Buffering")) {
            s.unbuffered = s.unbuffered || equals_ignore_case(trim_ows(field.value), "no");
        } else if (is("Set-Cookie")) {
            s.set_cookie = s.set_cookie || !is_stripped_cookie(policy, field.value);
        } else if (is("ETag")) {
            s.etag = trim_ows(field.value);
        } else if (is("Last-Modified")) {
            s.last_modified = trim_ows(field.value);
        } else if (is("Vary")) {
            each_list_element(field.value, [&s](std::string_view name) { s.vary.push_back(name); });
        } else if (is("Connection")) {
            each_list_element(field.value, [&s](std::string_view name) { s.connection.push_back(name); });
        } else if (is(audience_field)) {
            s.everybody = s.everybody.value_or(true) && equals_ignore_case(trim_ows(field.value), "everybody");
        } else if (is("Content-Security-Policy") || is("Content-Security-Policy-Report-Only")) {
            s.nonce = s.nonce || contains_ignore_case(field.value, "'nonce-");
        } else if (is("Surrogate-Key")) {
            add_tags(field.value, " \t", s.tags);
        } else if (is("xkey")) {  // separators as in Varnish's vmod_xkey
            add_tags(field.value, " \t,", s.tags);
        } else if (is("Cache-Tag") || is("Cache-Tags") || is("X-Cache-Tags")) {
            add_tags(field.value, ",", s.tags);
        }
    }
    return s;
}

std::string_view media_type(std::string_view content_type) {
    return trim_ows(content_type.substr(0, content_type.find(';')));
}

// Types of answers that never end.
bool is_stream(std::string_view content_type) {
    static constexpr std::array<std::string_view, 2> types{"text/event-stream", "multipart/x-mixed-replace"};
    return is_one_of(media_type(content_type), types);
}

// Whether the client should get each part of the answer at once, as far as the header tells: a sequence of records,
// or X-Accel-Buffering: no. An answer with Content-Length is treated as a page nonetheless.
bool may_be_stream(const Steering& s) {
    static constexpr std::array<std::string_view, 5> records{"application/x-ndjson", "application/ndjson",
                                                             "application/jsonl", "application/json-seq",
                                                             "application/stream+json"};
    return !s.content_length && (s.unbuffered || is_one_of(media_type(s.content_type), records));
}

bool is_textual(std::string_view content_type) {
    std::string_view type = media_type(content_type);
    return equals_ignore_case(type.substr(0, 5), "text/") ||
           equals_ignore_case(type, "application/xhtml+xml") || equals_ignore_case(type, "application/xml") ||
           equals_ignore_case(type, "application/json");
}

const ValidRule* rule_for(const Policy& policy, std::uint16_t status) {
    for (const ValidRule& rule : policy.valid) {
        bool usual = status == 200 || status == 301 || status == 302;
        if (rule.status == status || rule.status == 1 || (rule.status == 0 && usual)) return &rule;
    }
    return nullptr;
}

// Final status codes whose caching requirements we implement (RFC 9111 section 5.2.2.3): those of RFC 9110 section
// 15. None of them requires more of a cache than we do for all answers; 206 and 304 are refused before.
bool is_understood(std::uint16_t status) {
    return (status >= 200 && status <= 205) || (status >= 300 && status <= 303) || status == 307 ||
           status == 308 || (status >= 400 && status <= 417) || status == 421 || status == 422 ||
           status == 426 || (status >= 500 && status <= 505);
}

// RFC 9110 section 15.1: cacheable without explicit freshness.
bool is_heuristically_cacheable(std::uint16_t status) {
    static constexpr std::array<std::uint16_t, 11> codes{200, 203, 204, 300, 301, 308,
                                                         404, 405, 410, 414, 501};
    return std::find(codes.begin(), codes.end(), status) != codes.end();
}

// Which field decides, and what it says.
struct Freshness {
    bool known = false;
    bool by_answer = false;     // the lifetime is the answer's own
    bool by_operator = false;   // the answer's Date does not shorten it
    bool from_receipt = false;  // counts from receipt, whatever the answer's age
    bool targeted = false;      // by a field that replaces Cache-Control (RFC 9213)
    std::int64_t seconds = 0;
    CacheDirectives directives;  // of the deciding field
};

// X-Accel-Expires as proxy_cache reads it: seconds from now, "@" and a Unix time, or 0 for "don't store".
CacheDirectives accel_directives(std::string_view value, std::int64_t response_ms) {
    CacheDirectives directives;
    std::int64_t seconds = *parse_accel_expires(value);
    directives.no_store = seconds == 0;
    bool absolute = value[0] == '@';
    directives.max_age = absolute ? std::max<std::int64_t>(0, seconds - response_ms / second_ms) : seconds;
    return directives;
}

std::int64_t expires_seconds(const Steering& s, std::int64_t response_ms) {
    auto expires = parse_http_date(trim_ows(s.expires));
    if (!expires) return 0;  // RFC 9111 section 5.3: an invalid date means expired
    return std::max<std::int64_t>(0, *expires - s.date_s.value_or(response_ms / second_ms));
}

// RFC 9111 section 4.2.2: a percentage of the time since the answer last changed.
std::int64_t heuristic_seconds(const Policy& policy, const Answer& answer, const Steering& s) {
    auto modified = parse_http_date(s.last_modified);
    if (policy.heuristic_percent == 0 || !modified || !is_heuristically_cacheable(answer.status)) return 0;
    std::int64_t generated = s.date_s.value_or(answer.response_ms / second_ms);
    return std::min<std::int64_t>(policy.heuristic_max_s, std::max<std::int64_t>(0, generated - *modified) /
                                                              100 * policy.heuristic_percent);
}

Freshness freshness(const Policy& policy, const Answer& answer, const Steering& s) {
    const ValidRule* rule = rule_for(policy, answer.status);
    Freshness f;
    bool by_expires = false;
    if (s.has_surrogate && (s.surrogate.says_lifetime() || s.surrogate.forbids())) {
        f.directives = s.surrogate;
    } else if (auto targeted = targeted_directives(s.targeted)) {
        f.directives = *targeted;
        f.targeted = true;
    } else if (!s.accel_expires.empty()) {
        f.directives = accel_directives(s.accel_expires, answer.response_ms);
        f.from_receipt = true;
    } else {
        f.directives = s.cache_control;
        by_expires = s.has_expires && !s.cache_control.says_lifetime();
    }
    f.by_answer = by_expires || f.directives.says_lifetime();
    if (rule != nullptr && (policy.valid_overrides || !f.by_answer)) {
        f.known = rule->fresh_s > 0;
        f.seconds = rule->fresh_s;
        f.by_operator = true;
        f.from_receipt = false;
    } else if (f.by_answer) {
        f.known = true;
        f.seconds = by_expires ? expires_seconds(s, answer.response_ms)
                               : f.directives.s_maxage.value_or(f.directives.max_age.value_or(0));
    } else if (std::int64_t guess = heuristic_seconds(policy, answer, s); guess > 0) {
        f.known = true;
        f.seconds = guess;
    }
    if (f.directives.no_cache) {
        f.known = true;
        f.seconds = 0;
    }
    return f;
}

// RFC 9111 section 4.2.3. The backend's clock counts only if it makes the answer older. If the operator sets the
// lifetime, only Age counts, so that a backend whose clock is behind does not make its answers stale.
std::int64_t generated_at_ms(const Answer& answer, const Steering& s, const Freshness& f) {
    std::int64_t apparent_age_ms = 0;
    if (s.date_s && !f.by_operator) {
        // Date has whole seconds, so up to a second of apparent age is rounding.
        apparent_age_ms = std::max<std::int64_t>(0, answer.response_ms - (*s.date_s + 1) * second_ms);
    }
    std::int64_t corrected_age_ms = 0;
    if (auto age = parse_delta_seconds(s.age)) {
        corrected_age_ms = *age * second_ms + (answer.response_ms - answer.request_ms);
    }
    return std::max<std::int64_t>(0, answer.response_ms - std::max(apparent_age_ms, corrected_age_ms));
}

// How long the answer is kept for revalidation once it is stale, in seconds.
std::int64_t keep_s(const Policy& policy, const Answer& answer, const Steering& s) {
    auto modified = parse_http_date(s.last_modified);
    std::int64_t began_ms = s.date_s ? *s.date_s * second_ms - (answer.response_ms - answer.request_ms)
                                     : answer.request_ms;
    bool has_validator = !s.etag.empty() || (modified && is_strong_date(*modified, began_ms));
    return answer.status == 200 && has_validator ? policy.keep_s : 0;
}

// Request headers that the answer varies on and the variant does not hold. Cookie and Accept-Encoding never count:
// the backend saw only what the variant holds of them.
std::vector<std::string> unheld(const Answer& answer, const Steering& s) {
    std::vector<std::string> names;
    for (std::string_view name : s.vary) {
        std::string lower = lower_case(name);
        // Of Authorization, the variant holds only that there was one.
        bool held = lower == "cookie" || lower == "accept-encoding" ||
                    (lower != authorization_field && answer.variant_holds && answer.variant_holds(lower));
        if (!held) names.push_back(std::move(lower));
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

bool is_field_name(std::string_view name) {  // a token, RFC 9110 section 5.1
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [marks](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

Reason vary_refusal(const Answer& answer, const Steering& s) {
    if (std::find(s.vary.begin(), s.vary.end(), "*") != s.vary.end()) return Reason::vary_star;
    std::vector<std::string> names = unheld(answer, s);
    auto keyable = [](const std::string& name) { return is_field_name(name) && may_be_keyed(name); };
    bool good = names.size() <= max_entry_vary && std::all_of(names.begin(), names.end(), keyable);
    return good ? Reason::none : Reason::vary;
}

bool may_decode(const Answer& answer, const Steering& s) {
    return answer.decodable && !s.cache_control.no_transform;  // RFC 9111 section 5.2.2.6
}

// Whether the answer may be given to requests with other credentials (RFC 9111 section 3.5). Surrogate fields have no
// directive for that, so Cache-Control counts beside them, but not beside a targeted field.
bool is_public(const Steering& s, const Freshness& f) {
    return f.directives.is_public || (!f.targeted && s.cache_control.is_public);
}

bool is_for_all_credentials(const Steering& s, const Freshness& f) {
    auto asks_again = [](const CacheDirectives& d) { return d.s_maxage.has_value() || d.must_revalidate; };
    return is_public(s, f) || asks_again(f.directives) || (!f.targeted && asks_again(s.cache_control));
}

Reason refusal(const Policy& policy, const Answer& answer, const Steering& s, const Freshness& f) {
    if (answer.status > 599) return Reason::status;
    if (answer.status < 200 || answer.status == 206 || answer.status == 304 || s.content_range)
        return Reason::partial;
    // 425 is about TLS early data of this one request, of which no key holds anything (RFC 8470 section 5.2).
    if (answer.status == 425) return Reason::too_early;
    if (is_stream(s.content_type)) return Reason::stream;
    // An answer with explicit freshness is meant to be stored, and so has an end.
    if (may_be_stream(s) && !f.by_answer) return Reason::stream;
    if (s.set_cookie) return Reason::set_cookie;
    if (s.nonce && !policy.keep_nonces) return Reason::csp_nonce;
    if (f.directives.no_store && !(f.directives.must_understand && is_understood(answer.status)))
        return Reason::says_no_store;
    if (f.directives.is_private && !answer.personal) return Reason::says_private;
    bool can_validate = keep_s(policy, answer, s) > 0;
    if (f.directives.no_cache && !can_validate) return Reason::says_no_cache;
    const CacheDirectives& d = f.directives;
    if (answer.authorized && !is_for_all_credentials(s, f)) return Reason::authorization;
    if (Reason refused = vary_refusal(answer, s); refused != Reason::none) return refused;
    if (!f.known) return Reason::no_lifetime;
    bool has_window = d.stale_while_revalidate.value_or(0) != 0 || d.stale_if_error.value_or(0) != 0;
    if (f.seconds == 0 && !has_window && !can_validate) return Reason::not_fresh;
    if (!s.coding.empty() && !may_decode(answer, s) && !takes_codings(answer.accepts, s.coding)) return Reason::content_encoding;
    return Reason::none;
}

Lifetime lifetime(const Policy& policy, const Answer& answer, const Steering& s, const Freshness& f) {
    Lifetime life;
    life.base_ms = generated_at_ms(answer, s, f);
    auto span_ms = [](std::int64_t seconds) { return std::min(seconds, longest_s) * second_ms; };
    life.fresh_ms = span_ms(f.seconds);
    if (f.from_receipt) life.fresh_ms = std::min(life.fresh_ms + answer.response_ms - life.base_ms, span_ms(longest_s));
    life.keep_ms = span_ms(keep_s(policy, answer, s));
    if (f.directives.no_cache) return life;
    // A stored failure relieves the site for a while. Once stale it is no better than asking again.
    if (policy.failures.has(answer.status, true)) return life;
    if (policy.never_stale || f.directives.must_revalidate || f.directives.proxy_revalidate) return life;
    // RFC 9111 section 3.5: an answer that may be shared only because of s-maxage or must-revalidate must not be
    // served stale.
    if (answer.authorized && !is_public(s, f)) return life;
    // If it is stale from the start, don't serve it without asking, unless the answer itself allows that.
    std::int64_t usual_while_s = f.seconds > 0 ? policy.while_s : 0;
    life.while_ms = span_ms(f.directives.stale_while_revalidate.value_or(usual_while_s));
    life.error_ms = span_ms(f.directives.stale_if_error.value_or(policy.error_s));
    return life;
}

bool is_stored(const Policy& policy, const NamedValue& field, const Steering& s) {
    bool is_date = equals_ignore_case(field.name, "Date");
    if (is_date && (!s.date_s || field.value.data() != s.date.data())) return false;
    if (is_one_of(field.name, unstored_fields) || is_larder_field(policy, field.name)) return false;
    return std::none_of(s.connection.begin(), s.connection.end(),
                        [&field](std::string_view name) { return equals_ignore_case(field.name, name); });
}

Reason excess(const std::vector<NamedValue>& headers, const std::vector<std::string_view>& tags) {
    if (headers.size() > max_entry_headers) return Reason::too_many_headers;
    if (tags.size() > max_entry_tags) return Reason::too_many_tags;
    auto too_long = [](std::string_view name) { return name.size() > longest_name; };
    if (std::any_of(tags.begin(), tags.end(), too_long)) return Reason::too_long_tag;
    if (std::any_of(headers.begin(), headers.end(), [&](const NamedValue& h) { return too_long(h.name); }))
        return Reason::too_long_name;
    return Reason::none;
}

}  // namespace

bool may_be_keyed(std::string_view name) {
    static constexpr std::array<std::string_view, 11> never{
        "cookie", "host",           "authorization",      "connection",
        "range",  "content-length", "transfer-encoding",  "accept-encoding",
        "te",     "upgrade",        "proxy-authorization"};
    return std::find(never.begin(), never.end(), name) == never.end() && name.substr(0, 3) != "if-" &&
           name.substr(0, 7) != "larder-";
}

std::string content_coding(const std::vector<NamedValue>& headers) {
    std::string list;
    for (const NamedValue& field : headers) {
        if (!equals_ignore_case(field.name, "Content-Encoding")) continue;
        each_list_element(field.value, [&list](std::string_view coding) {
            if (!equals_ignore_case(coding, "identity")) list.append(list.empty() ? "" : ", ").append(coding);
        });
    }
    return list;
}

bool is_stripped_cookie(const Policy& policy, std::string_view set_cookie) {
    std::string_view name = trim_ows(set_cookie.substr(0, set_cookie.find_first_of("=;")));
    return std::any_of(policy.strip_cookies.begin(), policy.strip_cookies.end(),
                       [name](const std::string& stripped) { return stripped == "*" || stripped == name; });
}

bool is_digest_field(std::string_view name) {
    return is_content_digest_field(name) || equals_ignore_case(name, "Digest") ||
           equals_ignore_case(name, "Repr-Digest");
}

bool is_content_digest_field(std::string_view name) {
    return equals_ignore_case(name, "Content-MD5") || equals_ignore_case(name, "Content-Digest");
}

bool is_larder_field(const Policy& policy, std::string_view name) {
    return is_one_of(name, steering_fields) || find_targeted(policy, name) != policy.targeted.end() ||
           equals_ignore_case(name.substr(0, 7), "Larder-");
}

Storability storability(const Policy& policy, const Answer& answer) {
    Steering s = gather(policy, answer);
    Storability result;
    if (s.everybody.value_or(false)) result.audience = Audience::everybody;
    result.stream = is_stream(s.content_type);
    bool is_page = is_textual(s.content_type) && !may_be_stream(s);
    result.esi = !result.stream && (policy.esi == EsiMode::on ? is_page || s.surrogate.esi
                                                              : policy.esi == EsiMode::automatic && s.surrogate.esi);
    bool as_asked = takes_codings(answer.accepts, s.coding);
    result.decode = !s.coding.empty() && may_decode(answer, s) && (!as_asked || result.esi);
    result.opaque = result.esi && !s.coding.empty() && !result.decode;
    result.esi = result.esi && !result.opaque;
    result.coding = s.coding;
    for (const NamedValue& field : answer.headers) {
        bool goes = result.decode &&
                    (equals_ignore_case(field.name, "Content-Encoding") || is_digest_field(field.name));
        if (is_stored(policy, field, s) && !goes) result.headers.push_back(field);
        // Keep the fields about audience and freshness, for a 304 that does not repeat them. Tags are kept as such.
        bool says_it = equals_ignore_case(field.name, "Surrogate-Control") ||
                       equals_ignore_case(field.name, "X-Accel-Expires") ||
                       equals_ignore_case(field.name, audience_field) ||
                       find_targeted(policy, field.name) != policy.targeted.end();
        if (says_it) result.steering.push_back(field);
    }
    Freshness f = freshness(policy, answer, s);
    result.vary = unheld(answer, s);
    result.reason = refusal(policy, answer, s, f);
    if (result.reason == Reason::none) result.reason = excess(result.headers, s.tags);
    if (result.reason != Reason::none) return result;
    result.life = lifetime(policy, answer, s, f);
    if (result.life.dead_at_ms() <= answer.response_ms) {
        result.reason = Reason::not_fresh;
        return result;
    }
    result.store = true;
    result.tags = std::move(s.tags);
    return result;
}

}  // namespace larder
