// Parsing of positions: strict, since they come with purges and jobs from anywhere.
#include "daemon/replicas/decide/position.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace larder::replicas {

namespace {

// All of `text`, which has 1 to `max_digits` digits in `base`, without sign or space.
template <typename Integer>
std::optional<Integer> parse_number(std::string_view text, std::size_t max_digits, int base) {
    if (text.empty() || text.size() > max_digits) return std::nullopt;
    Integer value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

std::optional<Lsn> parse_lsn(std::string_view text) {
    auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto high = parse_number<std::uint32_t>(text.substr(0, slash), 8, 16);
    auto low = parse_number<std::uint32_t>(text.substr(slash + 1), 8, 16);
    if (!high || !low) return std::nullopt;
    return Lsn{*high} << 32u | *low;
}

std::optional<Position> parse_position(std::string_view text) {
    auto first = text.find('/');
    if (first == std::string_view::npos) return std::nullopt;
    auto second = text.find('/', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    std::string_view node = text.substr(0, first);
    auto timeline = parse_number<std::uint32_t>(text.substr(first + 1, second - first - 1), 10, 10);
    auto lsn = parse_number<Lsn>(text.substr(second + 1), 16, 16);
    if (!is_name(node) || !timeline || !lsn) return std::nullopt;
    return Position{node, *timeline, *lsn};
}

bool same_database(std::string_view a, std::string_view b) {
    auto first = parse_position(a), second = parse_position(b);
    return first && second && first->node == second->node;
}

std::string later_position(std::string_view a, std::string_view b) {
    auto first = parse_position(a), second = parse_position(b);
    if (!first) return std::string(second ? b : a);
    if (!second || first->node != second->node) return std::string(a);
    bool second_is_later = std::tie(second->timeline, second->lsn) > std::tie(first->timeline, first->lsn);
    return std::string(second_is_later ? b : a);
}

Lsn end_of_last_record(Lsn insert_position, const WalLayout& layout) {
    constexpr Lsn page_header = 24;     // sizeof(XLogPageHeaderData)
    constexpr Lsn segment_header = 40;  // sizeof(XLogLongPageHeaderData), on a segment's first page
    if (insert_position % layout.segment == segment_header) return insert_position - segment_header;
    if (insert_position % layout.page == page_header) return insert_position - page_header;
    return insert_position;
}

std::string timeline_and_lsn(std::uint32_t timeline, Lsn lsn) {
    char digits[16];
    auto end = std::to_chars(digits, digits + sizeof digits, lsn, 16).ptr;
    std::transform(digits, end, digits,
                   [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return std::to_string(timeline).append("/").append(digits, end);
}

}  // namespace larder::replicas
