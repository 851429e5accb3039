// Reading a directive's arguments. A setter returns NGX_CONF_OK, or what refuse() or duplicate() returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Logs the refusal, which names the value and what would be legal; nginx adds file and line.
char* refuse(ngx_conf_t* cf, const std::string& message);
char* duplicate();

std::vector<std::string_view> arguments(ngx_conf_t* cf);
std::string quoted(std::string_view text);
// The value of "name=value", or nothing.
std::optional<std::string_view> named(std::string_view argument, std::string_view name);

// Nothing for what is not legal, or not from `low` to `high`.
std::optional<std::uint32_t> seconds(std::string_view text);
std::optional<ngx_msec_t> milliseconds(std::string_view text, ngx_msec_t low, ngx_msec_t high);
std::optional<std::size_t> bytes(std::string_view text);
std::optional<unsigned> number(std::string_view text, unsigned low, unsigned high);
inline constexpr const char* legal_time = "a time such as 30s, 10m, 1h or 1d";

// A string with variables. False after a message of nginx's.
bool compile_value(ngx_conf_t* cf, std::string_view text, ngx_http_complex_value_t& value);

// token of RFC 9110 section 5.6.2, up to 256 bytes: the name of a header or cookie.
bool is_token(std::string_view text);

}  // namespace larder::ngx
