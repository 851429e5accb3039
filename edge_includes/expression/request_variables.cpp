// The values of ESI's request variables.
#include "edge_includes/expression/request_variables.hpp"

#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

constexpr std::uint64_t lookup_work = 20;  // of the host's search in the request's header fields

Value known(std::optional<std::string_view> text) {
    return text ? text_value(*text) : Value{};
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Removes the part up to `separator` from the front of `rest`, and returns it.
std::string_view next(std::string_view& rest, char separator) {
    std::size_t at = rest.find(separator);
    std::string_view part = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
    return part;
}

bool same_decoded(std::string_view encoded, std::string_view name) {
    if (encoded == name) return true;
    if (encoded.find_first_of("%+") == std::string_view::npos || encoded.size() > 3 * name.size())
        return false;
    std::string decoded(encoded.size(), '\0');
    decoded.resize(
        static_cast<std::size_t>(write_url_decoded(encoded, true, decoded.data()) - decoded.data()));
    return decoded == name;
}

Value query_value(std::string_view query, std::optional<std::string_view> key, Evaluator& evaluator) {
    if (!key) return text_value(query);
    if (!evaluator.spend(1 + query.size() / 4)) return {};  // comparing decodes each argument's name
    std::optional<std::string_view> raw = query_argument(query, *key);
    if (!raw) return {};
    if (raw->find_first_of("%+") == std::string_view::npos) return text_value(*raw);
    char* out = evaluator.allocate(raw->size());
    if (out == nullptr) return {};
    return text_value({out, static_cast<std::size_t>(write_url_decoded(*raw, true, out) - out)});
}

Value agent_value(std::string_view agent, std::optional<std::string_view> key) {
    if (!key) return text_value(agent);
    if (*key == "browser") return text_value(agent_browser(agent));
    if (*key == "version") return text_value(agent_version(agent));
    if (*key == "os") return text_value(agent_os(agent));
    return {};
}

}  // namespace

Value request_variable(Variable which, std::string_view name, std::optional<std::string_view> key,
                       Environment& environment, Evaluator& evaluator) {
    if (!evaluator.spend(lookup_work)) return {};
    switch (which) {
        case Variable::cookie:
            return key ? known(environment.cookie(*key)) : Value{};
        case Variable::query_string:
            return query_value(environment.query_string(), key, evaluator);
        case Variable::host:
            return text_value(environment.host());
        case Variable::accept_language: {
            auto header = environment.header("accept-language");
            if (!key) return known(header);
            return boolean_value(header && evaluator.spend_on(*header) && accepts_language(*header, *key));
        }
        case Variable::user_agent: {
            auto header = environment.header("user-agent");
            return header && evaluator.spend_on(*header) ? agent_value(*header, key) : Value{};
        }
        case Variable::header:
            return is_readable_header(name) ? known(environment.header(name)) : Value{};
        case Variable::remote_address:
            return known(environment.remote_address());
        case Variable::method:
            return text_value(environment.method());
        case Variable::path:
            return text_value(environment.path());
        case Variable::scheme:
            return text_value(environment.scheme());
        case Variable::named:
        case Variable::of_host:
        case Variable::denied:
            break;
    }
    return {};
}

bool is_readable_header(std::string_view name) {
    for (std::string_view secret : {"cookie", "cookie2", "authorization", "proxy-authorization"}) {
        if (equal_ignoring_case(name, secret)) return false;
    }
    return true;
}

std::string_view agent_browser(std::string_view agent) {
    if (contains(agent, "MSIE") || contains(agent, "Trident/")) return "MSIE";
    return agent.starts_with("Mozilla/") ? "MOZILLA" : "OTHER";
}

// The version of the browser, if it is a known one, else of the first product.
std::string_view agent_version(std::string_view agent) {
    for (std::string_view product :
         {"MSIE ", "rv:", "Edg/", "OPR/", "Firefox/", "Chrome/", "Version/", "/"}) {
        std::size_t at = agent.find(product);
        if (at == std::string_view::npos || (product == "rv:" && !contains(agent, "Trident/"))) continue;
        std::string_view version = agent.substr(at + product.size());
        return version.substr(0, version.find_first_not_of("0123456789."));
    }
    return {};
}

std::string_view agent_os(std::string_view agent) {
    if (contains(agent, "Windows") || contains(agent, "Win32") || contains(agent, "Win64")) return "WIN";
    if (contains(agent, "Macintosh") || contains(agent, "Mac OS") || contains(agent, "Mac_")) return "MAC";
    for (std::string_view unix_name : {"Linux", "X11", "BSD", "SunOS", "CrOS", "Android"}) {
        if (contains(agent, unix_name)) return "UNIX";
    }
    return "OTHER";
}

bool accepts_language(std::string_view header, std::string_view language) {
    while (!header.empty()) {
        std::string_view parameters = next(header, ',');
        std::string_view range = trim(next(parameters, ';'));
        bool same = equal_ignoring_case(range, language);
        bool narrower = range.size() > language.size() && range[language.size()] == '-' &&
                        equal_ignoring_case(range.substr(0, language.size()), language);
        if (!same && !narrower) continue;
        std::string_view quality = trim(parameters);
        bool refused =
            quality.starts_with("q=0") && quality.find_first_of("123456789") == std::string_view::npos;
        if (!refused) return true;
    }
    return false;
}

std::optional<std::string_view> query_argument(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        std::string_view value = next(query, '&');
        std::string_view argument = next(value, '=');
        if (same_decoded(argument, name)) return value;
    }
    return std::nullopt;
}

}  // namespace larder::esi
