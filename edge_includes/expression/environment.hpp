// The interface by which expressions read the request. The host implements it; implementations must not block.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace larder::esi {

// How a value is escaped for the place that it is written to. A value that is already safe for that place is not escaped
// again.
enum class Escape : std::uint8_t {
    none,  // of a value: safe for no place
    html,  // & < > " ' as character references
    url,   // all but unreserved characters percent-encoded (RFC 3986 section 2.3)
    json,  // for strings in JSON or JavaScript: \u escapes, also for < > & ', so that it can't end a script element
    raw,   // never escaped
};

struct FunctionResult {
    std::string text;
    Escape safe_for = Escape::none;  // for instance html if `text` is safe markup
};

// Returned views must stay valid until the Assembler is destroyed. By default nothing is known about the request.
class Environment {
public:
    virtual ~Environment() = default;

    // The only function that returns cookies. The host must return nothing for cookies that the operator has not allowed
    // (larder_esi_cookie).
    virtual std::optional<std::string_view> cookie(std::string_view name) { return (void)name, std::nullopt; }

    // A request header by its name in lower case. Never called for headers with credentials: cookie, cookie2, authorization,
    // proxy-authorization.
    virtual std::optional<std::string_view> header(std::string_view name) { return (void)name, std::nullopt; }

    virtual std::string_view query_string() { return {}; }  // without '?', as the client sent it
    virtual std::string_view host() { return {}; }          // HTTP_HOST
    virtual std::string_view method() { return {}; }        // REQUEST_METHOD
    virtual std::string_view path() { return {}; }          // REQUEST_PATH: the client's path, without query
    virtual std::string_view scheme() { return {}; }        // REQUEST_SCHEME: http or https

    // REMOTE_ADDR. It makes the page personal, so the host returns it only if the operator has enabled it.
    virtual std::optional<std::string_view> remote_address() { return std::nullopt; }

    virtual std::int64_t unix_time() { return 0; }  // seconds; the value of $time()

    // The variables in CompileOptions::host_variables. `key`: empty if there is no {key}.
    virtual std::optional<std::string_view> variable(std::string_view name, std::string_view key) {
        return (void)name, (void)key, std::nullopt;
    }

    // The functions in CompileOptions::host_functions (page_functions.hpp). Nothing means the undefined value.
    virtual std::optional<FunctionResult> call(std::string_view name,
                                               std::span<const std::string_view> arguments) {
        return (void)name, (void)arguments, std::nullopt;
    }
};

}  // namespace larder::esi
