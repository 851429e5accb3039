// Parses one ESI tag into element and attributes. Internal to the engine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder::esi {

enum class Element : std::uint8_t {
    unknown,
    include,
    remove,
    comment,
    vars,
    choose,
    when,
    otherwise,
    try_,
    attempt,
    except,
    inline_,
    assign,
    foreach,
    break_,
    text,
    eval,
    // not written as tags
    esi_comment,   // <!--esi ... -->
    html_comment,  // <!-- ... -->
    count_
};

// "include", "try", ...; empty for elements that are not written as tags.
std::string_view element_name(Element element);

struct Attribute {
    std::string_view name;
    std::string value;  // character references decoded
};

struct Tag {
    static constexpr std::size_t most_attributes = 16;

    Element element = Element::unknown;
    std::string_view name;
    bool empty = false;  // <esi:name ... />
    std::array<Attribute, most_attributes> attributes;
    std::size_t count = 0;
    std::string_view repeated;  // name of an attribute that occurs more than once; only its first value counts
    std::string error;  // what is wrong; empty if the tag is well-formed

    const std::string* attribute(std::string_view wanted) const;  // null if absent
};

// `raw`: the whole tag from '<' to '>'; names point into it. Values without quotes end at the next white space.
Tag parse_tag(std::string_view raw);

// Parses "500ms", "2s", "1m", "1h", "1d", or a number without a unit, which counts in `bare_unit_ms`, into milliseconds.
// Returns nothing for other texts and for more than 2^31 - 1 ms.
std::optional<std::uint32_t> duration_ms(std::string_view text, std::uint32_t bare_unit_ms);

}  // namespace larder::esi
