// The types of settings: how each is written in TOML, read, and shown again.
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
        : bytes(count) {}  // implicit on purpose: defaults in settings.def read as numbers
    bool operator==(const Size&) const = default;
};

// "250ms", "10s", "5m", "1h", "1d", or whole seconds without a unit. Nothing for anything else or beyond 100 years.
std::optional<Duration> parse_duration(std::string_view text);
// "512k", "16m", "1g", or whole bytes.
std::optional<Size> parse_size(std::string_view text);

// Reads a value; false when the node has another type or form.
bool read_value(const toml::node& node, Text& into);
bool read_value(const toml::node& node, Texts& into);
bool read_value(const toml::node& node, Pairs& into);
bool read_value(const toml::node& node, Number& into);
bool read_value(const toml::node& node, Duration& into);
bool read_value(const toml::node& node, Size& into);
bool read_value(const toml::node& node, Decimal& into);
bool read_value(const toml::node& node, Node& into);
bool read_value(const toml::node& node, Nodes& into);

// As it would be written in the file.
std::string show(const Text& value);
std::string show(const Texts& value);
std::string show(const Pairs& value);
std::string show(const Number& value);
std::string show(const Duration& value);
std::string show(const Size& value);
std::string show(const Decimal& value);
std::string show(const Node& value);
std::string show(const Nodes& value);

// The name of the type for messages, e.g. "a duration".
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
