// Parses the directives, and applies them to verdicts.
#include "cache/request/request_control.hpp"

#include "cache/response/fields.hpp"

namespace larder {

namespace {

struct Name {
    std::string_view text;
    RequestDirective directive;
};
constexpr Name names[] = {
    {"max-age", request_max_age},     {"max-stale", request_max_stale},
    {"min-fresh", request_min_fresh}, {"no-cache", request_no_cache},
    {"no-store", request_no_store},   {"only-if-cached", request_only_if_cached},
};

void set(std::optional<std::int64_t>& field, std::string_view argument) {
    if (!field) field = parse_delta_seconds(argument);
}

void add(RequestDirective directive, const CacheDirective& said, RequestControl& into) {
    switch (directive) {
        case request_max_age:
            return set(into.max_age, said.argument);
        case request_max_stale:  // without an argument: any staleness
            return set(into.max_stale, said.has_argument ? said.argument : "2147483648");
        case request_min_fresh:
            return set(into.min_fresh, said.argument);
        case request_no_cache:
            into.no_cache = true;
            return;
        case request_no_store:
            into.no_store = true;
            return;
        case request_only_if_cached:
            into.only_if_cached = true;
            return;
    }
}

// In whole seconds, so that max-age=0 accepts an entry less than a second old.
bool wanted(bool stale, const RequestControl& control, std::int64_t age, std::int64_t fresh) {
    std::int64_t may_be_stale = control.max_stale.value_or(0);
    if (control.max_age && age > *control.max_age + may_be_stale) return false;
    if (control.min_fresh && age + *control.min_fresh > fresh) return false;
    return !stale || (control.max_stale && age <= fresh + may_be_stale);
}

}  // namespace

std::optional<RequestDirective> request_directive(std::string_view name) {
    for (const Name& known : names) {
        if (known.text == name) return known.directive;
    }
    return std::nullopt;
}

void add_request_control(std::string_view field, std::uint8_t honoured, RequestControl& into) {
    each_list_element(field, [&](std::string_view element) {
        CacheDirective said = split_directive(element);
        for (const Name& known : names) {
            if ((honoured & known.directive) != 0 && equals_ignore_case(said.name, known.text))
                add(known.directive, said, into);
        }
    });
}

Verdict as_client_wants(Verdict verdict, const RequestControl& control, const Lifetime& life,
                        std::int64_t created_ms, std::int64_t arrived_ms, std::int64_t now_ms) {
    bool servable =
        verdict == Verdict::fresh || verdict == Verdict::stale_while || verdict == Verdict::stale_error;
    if (!servable || !control.judges() || created_ms >= arrived_ms) return verdict;
    std::int64_t age = (now_ms - life.base_ms) / 1000, fresh = life.fresh_ms / 1000;
    if (control.no_cache || !wanted(verdict != Verdict::fresh, control, age, fresh))
        return Verdict::stale_error;
    bool went_stale = now_ms >= life.base_ms + life.fresh_ms;  // by its age, not by a purge
    return verdict == Verdict::stale_error && went_stale ? Verdict::stale_while : verdict;
}

}  // namespace larder
