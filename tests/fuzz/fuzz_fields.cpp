// Any header fields of a backend, one "Name: value" per line: the decision on storing fulfils its contract, and an answer
// that may be stored becomes an entry that all readers accept.
#include <algorithm>
#include <cstdint>
#include <string>

#include "cache/entry.hpp"
#include "cache/request/request_control.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/storable.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder;

namespace {

bool inside(std::string_view part, std::string_view whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void examine_field(std::string_view value) {
    std::size_t last = 0;
    each_list_element(value, [&](std::string_view element) {
        EXPECT(inside(element, value) && !element.empty() && element == trim_ows(element));
        auto at = static_cast<std::size_t>(element.data() - value.data());
        EXPECT(at >= last);
        last = at + element.size();
    });
    if (auto seconds = parse_delta_seconds(value)) EXPECT(*seconds >= 0 && *seconds <= std::int64_t{1} << 31);
    if (auto date = parse_http_date(value)) EXPECT(*date > -62'200'000'000 && *date < 253'402'300'801);
    CacheDirectives directives;
    add_cache_control(value, directives);
    add_surrogate_control(value, directives);
    RequestControl control, none;
    add_request_control(value, all_request_directives, control);
    add_request_control(value, 0, none);
    EXPECT(!none.judges() && !none.no_store && !none.only_if_cached);
    Lifetime life{0, 60'000, 60'000, 60'000, 60'000};
    for (Verdict verdict :
         {Verdict::fresh, Verdict::stale_while, Verdict::stale_error, Verdict::validate, Verdict::dead}) {
        Verdict wanted = as_client_wants(verdict, control, life, 0, 1, 90'000);
        bool servable = verdict != Verdict::validate && verdict != Verdict::dead;
        EXPECT(servable ? wanted <= Verdict::stale_error : wanted == verdict);
    }
    if (auto targeted = parse_targeted_cache_control(value)) {
        // Joining it with itself, like two field lines, gives a dictionary with the same members.
        auto twice = parse_targeted_cache_control(std::string(value).append(", ").append(trim_ows(value)));
        EXPECT(twice && twice->max_age == targeted->max_age && twice->forbids() == targeted->forbids());
    }
}

// Skips fields that nginx and curl would refuse.
bool is_field(std::string_view name, std::string_view value) {
    if (name.empty() || value.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos)
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    Policy policy;
    if (data[0] & 1)
        policy.valid = {{static_cast<std::uint16_t>(data[0] & 2 ? 1 : 0), data[0] & 4 ? UINT32_MAX : 60}};
    policy.valid_overrides = data[0] & 8;
    policy.never_stale = data[0] & 16;
    policy.esi = static_cast<EsiMode>(data[1] % 3);
    if (data[0] & 32) policy.while_s = UINT32_MAX;
    Answer answer;
    answer.status = static_cast<std::uint16_t>(data[2] * 4);
    answer.request_ms = 1'700'000'000'000;
    answer.response_ms = answer.request_ms + data[3];
    answer.authorized = data[0] & 64;
    answer.variant_holds = [](std::string_view name) { return name == "x-kept"; };
    std::string_view rest(reinterpret_cast<const char*>(data) + 4, size - 4);
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        auto colon = line.find(':');
        std::string_view name = line.substr(0, colon);
        std::string_view value = colon == line.npos ? std::string_view{} : line.substr(colon + 1);
        examine_field(value);
        if (is_field(name, value)) answer.headers.push_back({name, value});
    }
    Storability s = storability(policy, answer);
    EXPECT(s.store == (s.reason == Reason::none));
    for (const NamedValue& header : s.headers) {
        EXPECT(!is_larder_field(Policy(), header.name) && !equals_ignore_case(header.name, "Set-Cookie"));
    }
    if (!s.store) return 0;
    for (const NamedValue& field : answer.headers) {
        EXPECT(!equals_ignore_case(field.name, "Set-Cookie"));
        EXPECT(!equals_ignore_case(field.name, "Vary") || trim_ows(field.value) != "*");
    }
    if (policy.never_stale) EXPECT(s.life.while_ms == 0 && s.life.error_ms == 0);
    static const std::string variant = Variant{
        .method = "GET",
        .scheme = "http",
        .host = "a",
        .path = "/",
        .query = {},
        .cookies = {},
        .headers = {}}.encode();
    std::string bytes = build_entry({.status = answer.status,
                                     .created_ms = answer.request_ms,
                                     .life = s.life,
                                     .variant = variant,
                                     .tags = s.tags,
                                     .headers = s.headers,
                                     .plan = {},
                                     .body = {}});
    const char* why = nullptr;
    EXPECT(EntryView::parse(bytes, &why));
    return 0;
}
