// Parses fields: tolerantly where RFC 9111 asks for it, strictly where RFC 8941 does.
#include "cache/response/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace larder {

namespace {

constexpr std::int64_t delta_seconds_cap = std::int64_t{1} << 31;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view unquote(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
    return text;
}

void set_lifetime(std::optional<std::int64_t>& field, std::string_view argument) {
    if (!field) field = parse_delta_seconds(argument).value_or(0);
}

// A malformed window is ignored, not 0, as these windows only extend the use of an answer.
void set_window(std::optional<std::int64_t>& field, std::string_view argument) {
    if (!field) field = parse_delta_seconds(argument);
}

void add_directive(const CacheDirective& d, CacheDirectives& into) {
    auto is = [&d](std::string_view name) { return equals_ignore_case(d.name, name); };
    if (is("max-age"))
        set_lifetime(into.max_age, d.argument);
    else if (is("s-maxage"))
        set_lifetime(into.s_maxage, d.argument);
    else if (is("stale-while-revalidate"))
        set_window(into.stale_while_revalidate, d.argument);
    else if (is("stale-if-error"))
        set_window(into.stale_if_error, d.argument);
    else if (is("no-store"))
        into.no_store = true;
    else if (is("no-cache"))
        into.no_cache = true;  // the forms with field names are treated as
    else if (is("private"))
        into.is_private = true;  // the plain ones: safe (RFC 9111 5.2.2.4, 5.2.2.7)
    else if (is("public"))
        into.is_public = true;
    else if (is("must-revalidate"))
        into.must_revalidate = true;
    else if (is("proxy-revalidate"))
        into.proxy_revalidate = true;
    else if (is("must-understand"))
        into.must_understand = true;
    else if (is("no-transform"))
        into.no_transform = true;
}

bool addressed_to_us(std::string_view& element) {
    auto semicolon = element.rfind(';');
    if (semicolon == std::string_view::npos || element.find('"', semicolon) != std::string_view::npos)
        return true;
    bool ours = equals_ignore_case(trim_ows(element.substr(semicolon + 1)), "larder");
    element = trim_ows(element.substr(0, semicolon));
    return ours;
}

bool contains_word(std::string_view list, std::string_view word) {
    for (std::size_t at = 0; at <= list.size();) {
        auto end = std::min(list.find(' ', at), list.size());
        if (equals_ignore_case(list.substr(at, end - at), word)) return true;
        at = end + 1;
    }
    return false;
}

// Parses Structured Fields (RFC 8941 section 4.2) as far as needed to check a Dictionary and to read booleans and
// integers.
class DictionaryParser {
public:
    explicit DictionaryParser(std::string_view text) : rest_(text) {}

    template <typename F>
    bool parse(F&& f) {
        skip(" ");
        while (rest_.find_last_not_of(' ') != std::string_view::npos && !rest_.empty()) {
            std::string_view key, item;
            if (!take_key(key)) return false;
            if (take_char('=')) {
                if (!take_item(item)) return false;
            } else {
                item = "?1";
            }
            if (!take_parameters()) return false;
            f(key, item);
            skip(" \t");
            if (rest_.empty()) return true;
            if (!take_char(',')) return false;
            skip(" \t");
            if (rest_.empty()) return false;  // a trailing comma
        }
        return true;
    }

private:
    void skip(const char* set) { rest_.remove_prefix(std::min(rest_.find_first_not_of(set), rest_.size())); }

    bool take_char(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    template <typename Predicate>
    std::string_view take_while(Predicate p) {
        std::size_t n = 0;
        while (n < rest_.size() && p(rest_[n])) n++;
        std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return taken;
    }

    bool take_key(std::string_view& key) {
        key = take_while([](char c) {
            return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
        });
        return !key.empty() && ((key[0] >= 'a' && key[0] <= 'z') || key[0] == '*');
    }

    bool take_item(std::string_view& item) {
        std::string_view before = rest_;
        bool good = !rest_.empty() && (rest_.front() == '(' ? take_inner_list() : take_bare_item());
        item = before.substr(0, before.size() - rest_.size());
        return good;
    }

    bool take_inner_list() {
        take_char('(');
        for (;;) {
            skip(" ");
            if (take_char(')')) return true;
            if (rest_.empty() || !take_bare_item() || !take_parameters()) return false;
            if (!rest_.empty() && rest_.front() != ' ' && rest_.front() != ')') return false;
        }
    }

    bool take_parameters() {
        while (take_char(';')) {
            skip(" ");
            std::string_view key;
            if (!take_key(key)) return false;
            if (take_char('=') && (rest_.empty() || !take_bare_item())) return false;
        }
        return true;
    }

    bool take_bare_item() {
        char c = rest_.front();
        if (c == '-' || is_digit(c)) return take_number();
        if (c == '"') return take_string();
        if (c == '?') {
            rest_.remove_prefix(1);
            return take_char('0') || take_char('1');
        }
        if (c == ':') {
            rest_.remove_prefix(1);
            take_while([](char b) {
                return (lower(b) >= 'a' && lower(b) <= 'z') || is_digit(b) || b == '+' || b == '/' ||
                       b == '=';
            });
            return take_char(':');
        }
        if (c == '*' || (lower(c) >= 'a' && lower(c) <= 'z')) {
            take_while([](char t) {
                return (lower(t) >= 'a' && lower(t) <= 'z') || is_digit(t) ||
                       std::string_view("!#$%&'*+-.^_`|~:/").find(t) != std::string_view::npos;
            });
            return true;
        }
        return false;
    }

    bool take_number() {
        take_char('-');
        std::string_view whole = take_while(is_digit);
        if (whole.empty() || whole.size() > 15) return false;
        if (!take_char('.')) return true;
        std::string_view fraction = take_while(is_digit);
        return !fraction.empty() && fraction.size() <= 3 && whole.size() <= 12;
    }

    bool take_string() {
        take_char('"');
        while (!rest_.empty()) {
            auto c = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            if (c == '"') return true;
            if (c == '\\') {
                if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\\')) return false;
                rest_.remove_prefix(1);
            } else if (c < 0x20 || c >= 0x7f) {
                return false;
            }
        }
        return false;
    }

    std::string_view rest_;
};

// Days from 1970-01-01 to a proleptic Gregorian date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    auto year_of_era = static_cast<unsigned>(year - era * 400);
    unsigned day_of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

class DateParser {
public:
    explicit DateParser(std::string_view text) : rest_(text) {}

    bool literal(std::string_view expected) {
        if (!equals_ignore_case(rest_.substr(0, expected.size()), expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    bool number(std::size_t digits, unsigned& value) {
        if (rest_.size() < digits ||
            !std::all_of(rest_.begin(), rest_.begin() + static_cast<long>(digits), is_digit)) {
            return false;
        }
        std::from_chars(rest_.data(), rest_.data() + digits, value);
        rest_.remove_prefix(digits);
        return true;
    }

    template <std::size_t N>
    bool one_of(const std::array<std::string_view, N>& names, unsigned& index) {
        for (unsigned i = 0; i < N; i++) {
            if (literal(names[i])) {
                index = i;
                return true;
            }
        }
        return false;
    }

    bool zone() { return literal(" GMT"); }
    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> short_days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

unsigned days_in(unsigned year, unsigned month) {
    constexpr std::array<unsigned, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (leap && month == 1 ? 1 : 0);
}

struct DateFields {
    unsigned weekday = 0, day = 0, month = 0, year = 0, hour = 0, minute = 0, second = 0;

    bool time(DateParser& p) {
        return p.number(2, hour) && p.literal(":") && p.number(2, minute) && p.literal(":") &&
               p.number(2, second);
    }
    std::optional<std::int64_t> unix_seconds() const {
        if (day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60)
            return std::nullopt;
        return days_from_civil(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
    }
};

bool imf_fixdate(DateParser p, DateFields& f) {  // Sun, 06 Nov 1994 08:49:37 GMT
    return p.one_of(short_days, f.weekday) && p.literal(", ") && p.number(2, f.day) && p.literal(" ") &&
           p.one_of(months, f.month) && p.literal(" ") && p.number(4, f.year) && p.literal(" ") &&
           f.time(p) && p.zone() && p.at_end();
}

bool rfc850_date(DateParser p, DateFields& f) {  // Sunday, 06-Nov-94 08:49:37 GMT
    if (!(p.one_of(long_days, f.weekday) && p.literal(", ") && p.number(2, f.day) && p.literal("-") &&
          p.one_of(months, f.month) && p.literal("-") && p.number(2, f.year) && p.literal(" ") && f.time(p) &&
          p.zone() && p.at_end())) {
        return false;
    }
    f.year += f.year < 70 ? 2000 : 1900;
    return true;
}

bool asctime_date(DateParser p, DateFields& f) {  // Sun Nov  6 08:49:37 1994
    return p.one_of(short_days, f.weekday) && p.literal(" ") && p.one_of(months, f.month) && p.literal(" ") &&
           (p.literal(" ") ? p.number(1, f.day) : p.number(2, f.day)) && p.literal(" ") && f.time(p) &&
           p.literal(" ") && p.number(4, f.year) && p.at_end();
}

}  // namespace

bool contains_ignore_case(std::string_view text, std::string_view part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [](char x, char y) { return lower(x) == lower(y); }) != text.end();
}

std::int64_t retry_after_s(std::string_view value, std::string_view date, std::int64_t now_s) {
    constexpr std::int64_t longest_s = 3600;
    value = trim_ows(value);
    std::int64_t seconds = 0;
    if (auto said = parse_delta_seconds(value)) {
        seconds = *said;
    } else if (auto until = parse_http_date(value)) {
        seconds = *until - parse_http_date(trim_ows(date)).value_or(now_s);
    }
    return std::clamp<std::int64_t>(seconds, 0, longest_s);
}

CacheDirective split_directive(std::string_view element) {
    auto equals = element.find('=');
    if (equals == std::string_view::npos) return {element, {}, false};
    return {trim_ows(element.substr(0, equals)), unquote(trim_ows(element.substr(equals + 1))), true};
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

std::string_view trim_ows(std::string_view text) {
    auto is_ows = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
    return text;
}

std::size_t closing_quote(std::string_view text, std::size_t open) {
    for (std::size_t i = open + 1; i < text.size(); i++) {
        if (text[i] == '"') return i;
        if (text[i] == '\\') i++;
    }
    return std::string_view::npos;
}

std::optional<std::int64_t> parse_delta_seconds(std::string_view text) {
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range || value > delta_seconds_cap) return delta_seconds_cap;
    return value;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
    DateFields f;
    if (imf_fixdate(DateParser(text), f) || rfc850_date(DateParser(text), f) ||
        asctime_date(DateParser(text), f)) {
        return f.unix_seconds();
    }
    return std::nullopt;
}

bool is_strong_date(std::int64_t modified_s, std::int64_t began_ms) {
    return began_ms >= (modified_s + 1) * 1000;
}

void add_cache_control(std::string_view field, CacheDirectives& into) {
    each_list_element(field,
                      [&into](std::string_view element) { add_directive(split_directive(element), into); });
}

void add_surrogate_control(std::string_view field, CacheDirectives& into) {
    each_list_element(field, [&into](std::string_view element) {
        if (!addressed_to_us(element)) return;
        CacheDirective d = split_directive(element);
        if (equals_ignore_case(d.name, "content")) {
            into.esi = into.esi || contains_word(d.argument, "ESI/1.0");
            return;
        }
        auto plus = d.argument.find('+');
        if (equals_ignore_case(d.name, "max-age") && plus != std::string_view::npos) {
            set_window(into.stale_while_revalidate, d.argument.substr(plus + 1));
            d.argument = d.argument.substr(0, plus);
        }
        add_directive(d, into);
    });
}

std::optional<CacheDirectives> parse_targeted_cache_control(std::string_view joined) {
    std::map<std::string_view, std::string_view> members;
    bool well_formed = DictionaryParser(joined).parse(
        [&](std::string_view key, std::string_view item) { members[key] = item; });
    if (!well_formed || members.empty()) return std::nullopt;
    CacheDirectives directives;
    for (auto [key, item] : members) {
        bool numeric = key == "max-age" || key == "s-maxage" || key == "stale-while-revalidate" ||
                       key == "stale-if-error";
        if (numeric && !parse_delta_seconds(item)) return std::nullopt;
        if (item != "?0") add_directive({key, numeric ? item : std::string_view{}, numeric}, directives);
    }
    return directives;
}

}  // namespace larder
