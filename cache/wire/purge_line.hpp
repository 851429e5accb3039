// A line of memcached's purge log (memcached_names.hpp), as parsed by nginx and larderd.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/request/key.hpp"

namespace larder {

struct PurgeLine {
    std::uint64_t drawn = 0;             // the number in the line
    std::optional<std::uint64_t> hash;   // nullopt: the line is a floor
    bool hard = false;

    // The sequence of this line after a line of sequence `last` (0: it is the first). The gap between lines leaves
    // room for sequences that an nginx draws for its own purges before it has read their lines: no later line has one
    // of these.
    static constexpr std::uint64_t step = 1000;
    std::uint64_t sequence(std::uint64_t last) const { return std::max(drawn, last + step); }
};

// Parses "SEQUENCE TAGHASH s|h" or "SEQUENCE floor s", without the newline. nullopt for anything else.
inline std::optional<PurgeLine> parse_purge_line(std::string_view text) {
    PurgeLine line;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), line.drawn);
    std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || rest.size() < 4 || rest[0] != ' ') return std::nullopt;
    if (!rest.ends_with(" s") && !rest.ends_with(" h")) return std::nullopt;
    line.hard = rest.back() == 'h';
    std::string_view name = rest.substr(1, rest.size() - 3);
    if (name == "floor") return line;
    line.hash = hash_from_text(name);
    return line.hash ? std::optional(line) : std::nullopt;
}

// The text of a line, with its newline. `name`: hash_text() of a tag; or "floor", which is always soft.
inline std::string purge_line_text(std::uint64_t drawn, std::string_view name, bool hard) {
    return std::to_string(drawn).append(" ").append(name).append(hard ? " h\n" : " s\n");
}

// Calls take(line, sequence) for each valid line of `text`, in order. `last`: the sequence of the line before `text`
// (0: the log begins here); set to that of the last line. Returns the number of bytes in complete lines; the rest is
// a line still being written.
template <class Take>
std::size_t each_purge_line(std::string_view text, std::uint64_t& last, Take&& take) {
    std::size_t at = 0;
    for (std::size_t end; (end = text.find('\n', at)) != std::string_view::npos; at = end + 1) {
        auto line = parse_purge_line(text.substr(at, end - at));
        if (!line) continue;
        last = line->sequence(last);
        take(*line, last);
    }
    return at;
}

}  // namespace larder
