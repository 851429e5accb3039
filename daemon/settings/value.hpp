// The types of settings: their forms in TOML, how they are read and shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toml {
inline namespace v3 {
class node;
}
}  // namespace toml

namespace larder::daemon {

using Text = std::string;
using Texts = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Number = std::int64_t;
using Duration = std::chrono::milliseconds;

using Decimal = double;

// A database server: { alias = "...", dsn = "...", weight = 1 }; weight may be left out.
struct Node {
    std::string alias;
    std::string dsn;
    std::int64_t weight = 1;

    bool operator==(const Node&) const = default;
};
using Nodes = std::vector<Node>;

struct Size {
    std::int64_t bytes = 0;

    Size() = default;
    Size(std::int64_t count)
        : bytes(count) {}  // implicit, so that defaults in settings.def can be plain numbers
    bool operator==(const Size&) const = default;
};

// Parses "250ms", "10s", "5m", "1h", "1d", or seconds without a unit. Returns nothing for other texts and for more than
// 100 years.
std::optional<Duration> parse_duration(std::string_view text);
// Parses "512k", "16m", "1g" (powers of 1024), or bytes without a unit. Returns nothing for other texts.
std::optional<Size> parse_size(std::string_view text);

// Read a value. Return false when the node has another type or form; `into` may then be changed.
bool read_value(const toml::node& node, Text& into);
bool read_value(const toml::node& node, Texts& into);
bool read_value(const toml::node& node, Pairs& into);
bool read_value(const toml::node& node, Number& into);
bool read_value(const toml::node& node, Duration& into);
bool read_value(const toml::node& node, Size& into);
bool read_value(const toml::node& node, Decimal& into);
bool read_value(const toml::node& node, Node& into);
bool read_value(const toml::node& node, Nodes& into);

// Format a value as it is written in the file; of a database server only the alias, as its DSN may hold a password.
std::string show(const Text& value);
std::string show(const Texts& value);
std::string show(const Pairs& value);
std::string show(const Number& value);
std::string show(const Duration& value);
std::string show(const Size& value);
std::string show(const Decimal& value);
std::string show(const Node& value);
std::string show(const Nodes& value);

// The name of the type for error messages, such as "a duration".
const char* type_name(const Text&);
const char* type_name(const Texts&);
const char* type_name(const Pairs&);
const char* type_name(const Number&);
const char* type_name(const Duration&);
const char* type_name(const Size&);
const char* type_name(const Decimal&);
const char* type_name(const Node&);
const char* type_name(const Nodes&);

}  // namespace larder::daemon
