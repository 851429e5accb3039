// What an expression may know about the request: the host answers, the engine asks. Nothing here does I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace larder::esi {

// Where a value goes, and so how it is escaped. A value that a function made for one of these is not escaped
// again for it.
enum class Escape : std::uint8_t {
    none,  // nothing known: escape it
    html,  // & < > " ' as character references
    url,   // all but unreserved characters percent-encoded (RFC 3986 section 2.3)
    json,  // inside a string of JSON or JavaScript: also < > & ' as \u escapes, so it cannot close a script
    raw,   // as it is, wherever it stands
};

struct FunctionResult {
    std::string text;
    Escape safe_for = Escape::none;  // e.g. html when `text` is markup that the host vouches for
};

// Views returned must stay valid until the Assembler is destroyed. The default of everything is "not known".
class Environment {
public:
    virtual ~Environment() = default;

    // The only way to a cookie, whatever the markup says. The host returns a value only for names its
    // operator allowed.
    virtual std::optional<std::string_view> cookie(std::string_view name) { return (void)name, std::nullopt; }

    // A request header by lower-case name. Never asked for cookie, authorization, or proxy-authorization.
    virtual std::optional<std::string_view> header(std::string_view name) { return (void)name, std::nullopt; }

    virtual std::string_view query_string() { return {}; }  // without '?', as the client sent it
    virtual std::string_view host() { return {}; }          // HTTP_HOST
    virtual std::string_view method() { return {}; }        // REQUEST_METHOD
    virtual std::string_view path() { return {}; }          // REQUEST_PATH: the client's path, without query
    virtual std::string_view scheme() { return {}; }        // REQUEST_SCHEME: http or https

    // REMOTE_ADDR; the host leaves it out unless its operator switched it on, as it makes a page personal.
    virtual std::optional<std::string_view> remote_address() { return std::nullopt; }

    virtual std::int64_t unix_time() { return 0; }  // seconds; what $time() gives

    // Variables named in CompileOptions::host_variables; `key` is empty when there was no {key}.
    virtual std::optional<std::string_view> variable(std::string_view name, std::string_view key) {
        return (void)name, (void)key, std::nullopt;
    }

    // Functions named in CompileOptions::host_functions (page_functions.hpp). Nothing = undefined value.
    virtual std::optional<FunctionResult> call(std::string_view name,
                                               std::span<const std::string_view> arguments) {
        return (void)name, (void)arguments, std::nullopt;
    }
};

}  // namespace larder::esi
