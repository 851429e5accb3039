// One ESI tag, taken apart: element, attributes. Internal to the engine.
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

// "include", "try", ...; the empty string for what is not a tag.
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
    std::string_view repeated;  // an attribute that stands more than once: the first one counts
    std::string error;  // "" if the tag is well-formed; what is wrong, otherwise

    const std::string* attribute(std::string_view wanted) const;  // null if absent
};

// `raw` is the whole tag from '<' to '>'; names point into it. Values may stand without quotes, up to the next space.
Tag parse_tag(std::string_view raw);

// Milliseconds of "500ms", "2s", "1m", "1h", "1d", or of a bare number in `bare_unit_ms`. At most 2^31 - 1.
std::optional<std::uint32_t> duration_ms(std::string_view text, std::uint32_t bare_unit_ms);

}  // namespace larder::esi
