// Parses positions strictly, because they come from outside, with purges and jobs.
#include "cache/position.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace larder::replicas {

namespace {

// Parses `text`, which must consist of 1 to `max_digits` digits in `base`.
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
    std::vector<std::string_view> parts;
    for (std::size_t start = 0; start <= text.size() && parts.size() <= 4;) {
        std::size_t end = std::min(text.find('/', start), text.size());
        parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    if (parts.size() != 3 && parts.size() != 4) return std::nullopt;
    Position position{.node = parts.front()};
    if (!is_name(position.node)) return std::nullopt;
    if (parts.size() == 4) {
        auto system = parse_number<std::uint64_t>(parts[1], 20, 10);
        if (!system || *system == 0) return std::nullopt;
        position.system = *system;
    }
    auto timeline = parse_number<std::uint32_t>(parts[parts.size() - 2], 10, 10);
    auto lsn = parse_number<Lsn>(parts.back(), 16, 16);
    if (!timeline || !lsn) return std::nullopt;
    position.timeline = *timeline;
    position.lsn = *lsn;
    return position;
}

std::string position_text(std::string_view node, std::uint64_t system, std::uint32_t timeline, Lsn lsn) {
    std::string text(node);
    text.push_back('/');
    if (system != 0) text.append(std::to_string(system)).push_back('/');
    return text.append(timeline_and_lsn(timeline, lsn));
}

bool same_database(std::string_view a, std::string_view b) {
    auto first = parse_position(a), second = parse_position(b);
    return first && second && first->node == second->node;
}

std::string later_position(std::string_view older, std::string_view newer) {
    auto first = parse_position(older), second = parse_position(newer);
    if (!first || !second) return std::string(second ? newer : older);
    bool comparable = first->system == second->system && first->timeline == second->timeline;
    return std::string(comparable && first->lsn > second->lsn ? older : newer);
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
