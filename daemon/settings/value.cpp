// Reads and formats the types of settings.
#include "value.hpp"

#include <toml++/toml.h>
#include <charconv>
#include <iomanip>
#include <sstream>

namespace larder::daemon {

namespace {

struct Unit {
    std::string_view suffix;
    std::int64_t factor;
};
constexpr Unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit size_units[] = {{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}};
constexpr std::int64_t longest_ms = 100LL * 366 * 86'400'000;

// Parses digits, followed by one of `units` or by nothing. Without a unit the number is multiplied by `plain`.
template <std::size_t N>
std::optional<std::int64_t> parse_with_unit(std::string_view text, const Unit (&units)[N],
                                            std::int64_t plain) {
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return std::nullopt;
    std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
    std::int64_t factor = suffix.empty() ? plain : 0;
    for (const Unit& unit : units) {
        if (suffix == unit.suffix) factor = unit.factor;
    }
    if (factor == 0 || number > longest_ms / factor) return std::nullopt;
    return number * factor;
}

template <std::size_t N>
std::string show_with_unit(std::int64_t value, const Unit (&units)[N]) {
    const Unit* best = nullptr;
    for (const Unit& unit : units) {
        if (value != 0 && value % unit.factor == 0) best = &unit;
    }
    if (best == nullptr) return std::to_string(value);
    return "\"" + std::to_string(value / best->factor) + std::string(best->suffix) + "\"";
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    auto ms = parse_with_unit(text, duration_units, 1000);
    return ms ? std::optional(Duration(*ms)) : std::nullopt;
}

std::optional<Size> parse_size(std::string_view text) {
    auto bytes = parse_with_unit(text, size_units, 1);
    return bytes ? std::optional(Size(*bytes)) : std::nullopt;
}

bool read_value(const toml::node& node, Text& into) {
    if (!node.is_string()) return false;
    into = node.as_string()->get();
    return true;
}

bool read_value(const toml::node& node, Texts& into) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return false;
    into.clear();
    for (const toml::node& element : *array) {
        if (!read_value(element, into.emplace_back())) return false;
    }
    return true;
}

bool read_value(const toml::node& node, Pairs& into) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return false;
    into.clear();
    for (const auto& [name, value] : *table) {
        into.emplace_back(std::string(name.str()), std::string());
        if (!read_value(value, into.back().second)) return false;
    }
    return true;
}

bool read_value(const toml::node& node, Number& into) {
    if (!node.is_integer()) return false;
    into = node.as_integer()->get();
    return true;
}

bool read_value(const toml::node& node, Duration& into) {
    auto parsed = node.is_integer()  ? parse_duration(std::to_string(node.as_integer()->get()))
                  : node.is_string() ? parse_duration(node.as_string()->get())
                                     : std::nullopt;
    if (parsed) into = *parsed;
    return parsed.has_value();
}

bool read_value(const toml::node& node, Size& into) {
    auto parsed = node.is_integer()  ? parse_size(std::to_string(node.as_integer()->get()))
                  : node.is_string() ? parse_size(node.as_string()->get())
                                     : std::nullopt;
    if (parsed) into = *parsed;
    return parsed.has_value();
}

bool read_value(const toml::node& node, Decimal& into) {
    auto value = node.value<double>();
    if (value) into = *value;
    return value.has_value();
}

bool read_value(const toml::node& node, Node& into) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return false;
    for (const auto& [name, value] : *table) {
        bool read = name.str() == "alias"    ? read_value(value, into.alias)
                    : name.str() == "dsn"    ? read_value(value, into.dsn)
                    : name.str() == "weight" ? read_value(value, into.weight)
                                             : false;
        if (!read) return false;
    }
    return into.weight >= 1 && into.weight <= 1000;
}

bool read_value(const toml::node& node, Nodes& into) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return false;
    for (const toml::node& element : *array) {
        if (!read_value(element, into.emplace_back())) return false;
    }
    return true;
}

std::string show(const Text& value) {
    return "\"" + value + "\"";
}

std::string show(const Texts& value) {
    std::string out;
    for (const std::string& element : value) out += (out.empty() ? "" : ", ") + show(element);
    return "[" + out + "]";
}

std::string show(const Pairs& value) {
    std::string out;
    for (const auto& [name, text] : value) out += (out.empty() ? " " : ", ") + name + " = " + show(text);
    return out.empty() ? "{}" : "{" + out + " }";
}

std::string show(const Number& value) {
    return std::to_string(value);
}

std::string show(const Duration& value) {
    return value.count() == 0 ? "0" : show_with_unit(value.count(), duration_units);
}

std::string show(const Size& value) {
    return show_with_unit(value.bytes, size_units);
}

std::string show(const Decimal& value) {
    std::ostringstream out;
    out << std::showpoint << std::setprecision(2) << value;
    return out.str();
}

std::string show(const Node& value) {
    return value.alias.empty() ? "{}" : "{ alias = " + show(value.alias) + " }";
}

std::string show(const Nodes& value) {
    std::string out;
    for (const Node& node : value) out += (out.empty() ? "" : ", ") + show(node);
    return "[" + out + "]";
}

const char* type_name(const Decimal&) {
    return "a number";
}
const char* type_name(const Node&) {
    return "a server";
}
const char* type_name(const Nodes&) {
    return "a list of servers";
}
const char* type_name(const Text&) {
    return "a text";
}
const char* type_name(const Texts&) {
    return "a list of texts";
}
const char* type_name(const Pairs&) {
    return "a table of texts";
}
const char* type_name(const Number&) {
    return "a whole number";
}
const char* type_name(const Duration&) {
    return "a duration";
}
const char* type_name(const Size&) {
    return "a size";
}

}  // namespace larder::daemon
