// Regular expressions of `matches`, on PCRE2. Compiled ones are kept per thread, as pages use the same few
// over and over.
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
constexpr std::uint32_t match_limit =
    20'000;  // PCRE2's count of backtracking steps; well under a millisecond
constexpr std::uint32_t heap_limit_kib = 256;

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
        PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_DOLLAR_ENDONLY | (any_case ? PCRE2_CASELESS : 0u);
    int error = 0;
    PCRE2_SIZE at = 0;
    return Code(pcre2_compile(units(pattern), pattern.size(), options, &error, &at, nullptr));
}

// An invalid pattern is kept too (as null), so that it is compiled once.
const pcre2_code* kept_code(std::string_view pattern, bool any_case) {
    thread_local std::unordered_map<std::string, Code> kept;
    std::string key = (any_case ? "i" : "c") + std::string(pattern);
    auto found = kept.find(key);
    if (found == kept.end()) {
        if (kept.size() >= kept_patterns) kept.clear();
        found = kept.emplace(std::move(key), compile_pattern(pattern, any_case)).first;
    }
    return found->second.get();
}

pcre2_match_context* limits() {
    thread_local std::unique_ptr<pcre2_match_context, Free> context = [] {
        std::unique_ptr<pcre2_match_context, Free> made(pcre2_match_context_create(nullptr));
        if (made) {
            pcre2_set_match_limit(made.get(), match_limit);
            pcre2_set_heap_limit(made.get(), heap_limit_kib);
        }
        return made;
    }();
    return context.get();
}

}  // namespace

std::size_t match_pattern(std::string_view pattern, bool any_case, std::string_view subject,
                          std::array<std::string_view, max_groups>& groups) {
    if (pattern.size() > longest_pattern || limits() == nullptr) return 0;
    const pcre2_code* code = kept_code(pattern, any_case);
    std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(max_groups, nullptr));
    if (code == nullptr || !data) return 0;
    int count = pcre2_match(code, units(subject), subject.size(), 0, 0, data.get(), limits());
    if (count < 0) return 0;
    std::size_t groups_found = count == 0 ? max_groups : static_cast<std::size_t>(count);
    const PCRE2_SIZE* ranges = pcre2_get_ovector_pointer(data.get());
    for (std::size_t i = 0; i < groups_found; ++i) {
        PCRE2_SIZE from = ranges[2 * i], to = ranges[2 * i + 1];
        // \K can move the start behind the end.
        groups[i] = from == PCRE2_UNSET || to < from ? std::string_view{} : subject.substr(from, to - from);
    }
    return groups_found;
}

}  // namespace larder::esi
