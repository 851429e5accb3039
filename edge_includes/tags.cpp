// Parses one ESI tag.
#include "edge_includes/tags.hpp"

#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Element::count_)> names = {
    "",       "include", "remove", "comment", "vars",  "choose", "when", "otherwise", "try", "attempt",
    "except", "inline",  "assign", "foreach", "break", "text",   "eval", "",          ""};

Element element_of(std::string_view name) {
    for (std::size_t i = 1; i < names.size(); ++i) {
        if (!name.empty() && names[i] == name) return static_cast<Element>(i);
    }
    return Element::unknown;
}

bool is_tag_name(char c) {
    return is_name(c) || c == '-' || c == '.' || c == ':';
}

class TagParser {
public:
    explicit TagParser(std::string_view rest) : rest_(rest) {}

    std::string_view name() {
        std::size_t size = 0;
        while (size < rest_.size() && is_tag_name(rest_[size])) ++size;
        return take(size);
    }

    // Parses the next attribute. Returns false at the end of the tag, and, with `tag.error` set, after an error.
    bool attribute(Tag& tag) {
        std::size_t before = rest_.size();
        space();
        if (rest_.empty()) return false;
        Attribute attribute;
        attribute.name = name();
        if (attribute.name.empty() || before == rest_.size() + attribute.name.size()) {
            return fail(tag, "an attribute expected: name=\"value\"");
        }
        space();
        if (rest_.empty() || rest_[0] != '=')
            return fail(tag, "attribute " + std::string(attribute.name) + " has no value");
        take(1);
        space();
        if (!rest_.empty() && (rest_[0] == '"' || rest_[0] == '\'')) {
            char quote = take(1)[0];
            std::size_t close = rest_.find(quote);
            if (close == std::string_view::npos) return fail(tag, "a quote is not closed");
            attribute.value = decode_references(take(close));
            take(1);
        } else {
            std::string_view value = unquoted();
            if (value.empty()) return fail(tag, "attribute " + std::string(attribute.name) + " has no value");
            if (value.find_first_of("\"'\\") != std::string_view::npos)
                return fail(tag, "attribute " + std::string(attribute.name) + " has a quote inside a value without quotes");
            attribute.value = decode_references(value);
        }
        if (tag.attribute(attribute.name) != nullptr) {
            tag.repeated = attribute.name;
            return true;
        }
        if (tag.count == Tag::most_attributes) return fail(tag, "more than 16 attributes");
        tag.attributes[tag.count++] = std::move(attribute);
        return true;
    }

private:
    static bool fail(Tag& tag, std::string error) {
        tag.error = std::move(error);
        return false;
    }
    std::string_view take(std::size_t size) {
        std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    std::string_view unquoted() {
        std::size_t size = 0;
        while (size < rest_.size() && !is_space(rest_[size])) ++size;
        return take(size);
    }
    void space() {
        while (!rest_.empty() && is_space(rest_[0])) rest_.remove_prefix(1);
    }

    std::string_view rest_;
};

}  // namespace

std::string_view element_name(Element element) {
    return names[static_cast<std::size_t>(element)];
}

const std::string* Tag::attribute(std::string_view wanted) const {
    for (std::size_t i = 0; i < count; ++i) {
        if (attributes[i].name == wanted) return &attributes[i].value;
    }
    return nullptr;
}

Tag parse_tag(std::string_view raw) {
    Tag tag;
    bool close = raw.starts_with("</");
    raw.remove_prefix(close ? 6 : 5);  // </esi: or <esi:
    raw.remove_suffix(1);
    if (!close && raw.ends_with('/')) {
        tag.empty = true;
        raw.remove_suffix(1);
    }
    TagParser parser(raw);
    tag.name = parser.name();
    tag.element = element_of(tag.name);
    while (parser.attribute(tag)) {
    }
    if (close && tag.count > 0 && tag.error.empty()) tag.error = "a closing tag has no attributes";
    return tag;
}

std::optional<std::uint32_t> duration_ms(std::string_view text, std::uint32_t bare_unit_ms) {
    std::size_t digits = text.find_first_not_of("0123456789");
    std::string_view unit = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
    auto count = integer_of(text.substr(0, digits));
    std::uint32_t factor = unit.empty()   ? bare_unit_ms
                           : unit == "ms" ? 1u
                           : unit == "s"  ? 1000u
                           : unit == "m"  ? 60'000u
                           : unit == "h"  ? 3'600'000u
                           : unit == "d"  ? 86'400'000u
                                          : 0u;
    if (!count || factor == 0 || *count > INT32_MAX / static_cast<std::int64_t>(factor)) return std::nullopt;
    return static_cast<std::uint32_t>(*count) * factor;
}

}  // namespace larder::esi
