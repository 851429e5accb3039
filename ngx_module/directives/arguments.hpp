// Reads the arguments of a directive. A setter returns NGX_CONF_OK, or the result of refuse() or duplicate().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Logs the message, which names the value and what is legal. nginx adds file and line.
char* refuse(ngx_conf_t* cf, const std::string& message);
char* duplicate();

std::vector<std::string_view> arguments(ngx_conf_t* cf);
std::string quoted(std::string_view text);
// The value in "name=value"; nullopt if `argument` is something else.
std::optional<std::string_view> named(std::string_view argument, std::string_view name);

// These return nullopt if the text is not legal or out of the range.
std::optional<std::uint32_t> seconds(std::string_view text);
std::optional<ngx_msec_t> milliseconds(std::string_view text, ngx_msec_t low, ngx_msec_t high);
std::optional<std::size_t> bytes(std::string_view text);
std::optional<unsigned> number(std::string_view text, unsigned low, unsigned high);
inline constexpr const char* legal_time = "a time such as 30s, 10m, 1h or 1d";

// Compiles a string with variables. False: nginx has logged what is wrong.
bool compile_value(ngx_conf_t* cf, std::string_view text, ngx_http_complex_value_t& value);

// Whether the text is a token (RFC 9110 section 5.6.2) of at most 256 bytes, as a header or cookie name must be.
bool is_token(std::string_view text);

}  // namespace larder::ngx
