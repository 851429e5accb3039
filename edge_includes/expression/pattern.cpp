// Uses PCRE2. Compiled patterns are cached per thread, because pages use the same few again and again.
//
// PCRE2's own match limit is too weak: it starts again at each position of the subject where a match may begin, and
// doesn't count the bytes that a repeat runs over. So patterns are compiled with a callout before each item, and the
// callouts count.
#include "edge_includes/expression/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace larder::esi {

namespace {

constexpr std::size_t longest_pattern = 512;
constexpr std::size_t kept_patterns = 64;
constexpr std::uint32_t heap_limit_kib = 256;
constexpr std::uint64_t start_work = 10;       // of any match
constexpr std::uint64_t compile_work = 2'000;  // of a pattern of any length
constexpr std::uint64_t bytes_per_unit = 64;   // bytes of the subject per unit of work

struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
using Code = std::unique_ptr<pcre2_code, Free>;

PCRE2_SPTR units(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

Code compile_pattern(std::string_view pattern, bool any_case) {
    std::uint32_t options =
        PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_AUTO_CALLOUT | PCRE2_DOLLAR_ENDONLY | (any_case ? PCRE2_CASELESS : 0u);
    int error = 0;
    PCRE2_SIZE at = 0;
    return Code(pcre2_compile(units(pattern), pattern.size(), options, &error, &at, nullptr));
}

// Returns the cached or newly compiled pattern; null if it is invalid or the work is used up. Invalid patterns are cached,
// too, as null.
const pcre2_code* kept_code(std::string_view pattern, bool any_case, PatternWork& work) {
    thread_local std::unordered_map<std::string, Code> kept;
    std::string key = (any_case ? "i" : "c") + std::string(pattern);
    auto found = kept.find(key);
    if (found != kept.end()) return found->second.get();
    work.used += compile_work;
    if (work.used > work.most) return nullptr;
    if (kept.size() >= kept_patterns) kept.clear();
    return kept.emplace(std::move(key), compile_pattern(pattern, any_case)).first->second.get();
}

int count_item(pcre2_callout_block* at, void* data) {
    auto* work = static_cast<PatternWork*>(data);
    work->used += 1 + (at->subject_length - at->current_position) / bytes_per_unit;
    return work->used > work->most ? PCRE2_ERROR_CALLOUT : 0;
}

pcre2_match_context* context() {
    thread_local std::unique_ptr<pcre2_match_context, Free> kept = [] {
        std::unique_ptr<pcre2_match_context, Free> made(pcre2_match_context_create(nullptr));
        if (made) pcre2_set_heap_limit(made.get(), heap_limit_kib);
        return made;
    }();
    return kept.get();
}

}  // namespace

std::size_t match_pattern(std::string_view pattern, bool any_case, std::string_view subject,
                          std::array<std::string_view, max_groups>& groups, PatternWork& work) {
    work.used += start_work + subject.size() / bytes_per_unit;
    if (pattern.size() > longest_pattern || context() == nullptr) return 0;
    const pcre2_code* code = kept_code(pattern, any_case, work);
    std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(max_groups, nullptr));
    int count = PCRE2_ERROR_NOMATCH;
    if (code != nullptr && data) {
        pcre2_set_callout(context(), count_item, &work);
        count = pcre2_match(code, units(subject), subject.size(), 0, 0, data.get(), context());
    }
    if (work.used > work.most) return 0;
    if (count < 0) return 0;
    std::size_t groups_found = count == 0 ? max_groups : static_cast<std::size_t>(count);
    const PCRE2_SIZE* ranges = pcre2_get_ovector_pointer(data.get());
    for (std::size_t i = 0; i < groups_found; ++i) {
        PCRE2_SIZE from = ranges[2 * i], to = ranges[2 * i + 1];
        // \K can set the start of the match after its end.
        groups[i] = from == PCRE2_UNSET || to < from ? std::string_view{} : subject.substr(from, to - from);
    }
    return groups_found;
}

}  // namespace larder::esi
