// Checks packed expressions, and prints them for people.
#include "edge_includes/expression/expression_bytes.hpp"

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/functions.hpp"
#include "edge_includes/page_functions.hpp"

namespace larder::esi {

namespace {

// Consumes one node. Returns false if it is not safe to evaluate.
bool check_node(NodeReader& reader, unsigned depth, Reads& reads);

Reads reads_of(Variable variable) {
    switch (variable) {
        case Variable::cookie:
            return reads_cookies;
        case Variable::query_string:
            return reads_query;
        case Variable::accept_language:
        case Variable::user_agent:
        case Variable::header:
            return reads_headers;
        case Variable::host:
        case Variable::method:
        case Variable::path:
        case Variable::scheme:
            return reads_request;
        case Variable::remote_address:
            return reads_address;
        case Variable::of_host:
            return reads_host_names;
        case Variable::named:
        case Variable::denied:
            break;
    }
    return 0;
}

bool check_nodes(NodeReader& reader, unsigned count, unsigned depth, Reads& reads) {
    for (; count > 0; --count) {
        if (!check_node(reader, depth, reads)) return false;
    }
    return true;
}

// An operand after its length: exactly one node, or, unless `required`, nothing.
bool check_sized(NodeReader& reader, unsigned depth, bool required, Reads& reads) {
    std::string_view bytes = reader.sized();
    if (bytes.empty()) return reader.ok() && !required;
    NodeReader inner(bytes);
    return check_node(inner, depth, reads) && inner.left() == 0;
}

bool check_branch(NodeReader& reader, unsigned depth, Reads& reads) {
    auto right = reader.take<std::uint32_t>();
    if (!check_node(reader, depth, reads)) return false;
    NodeReader inner(reader.bytes(right));
    return reader.ok() && check_node(inner, depth, reads) && inner.left() == 0;
}

bool check_node(NodeReader& reader, unsigned depth, Reads& reads) {
    if (depth == 0) return false;
    --depth;
    Node node = reader.node();
    switch (node) {
        case Node::text:
            reader.sized();
            return reader.ok();
        case Node::integer:
            reader.take<std::int64_t>();
            return reader.ok();
        case Node::boolean:
            return reader.take<std::uint8_t>() <= 1 && reader.ok();
        case Node::variable: {
            auto variable = reader.take<std::uint8_t>();
            if (variable > static_cast<std::uint8_t>(Variable::last_)) return false;
            reads |= reads_of(static_cast<Variable>(variable));
            reader.name();
            return check_sized(reader, depth, false, reads) && check_sized(reader, depth, false, reads);
        }
        case Node::call: {
            auto index = reader.take<std::uint8_t>();
            auto count = reader.take<std::uint8_t>();
            if (!reader.ok() || index >= functions().size()) return false;
            const Function& function = functions()[index];
            if (function.name == "time") reads |= reads_time;
            return count >= function.least && count <= function.most &&
                   check_nodes(reader, count, depth, reads);
        }
        case Node::host_call:
            reads |= reads_host_names;
            if (reader.name() == form_token_function) reads |= reads_form_token;
            return check_nodes(reader, reader.take<std::uint8_t>(), depth, reads) && reader.ok();
        case Node::list:
        case Node::concat:
            return check_nodes(reader, reader.take<std::uint16_t>(), depth, reads) && reader.ok();
        case Node::dictionary:
            return check_nodes(reader, 2u * reader.take<std::uint16_t>(), depth, reads) && reader.ok();
        case Node::escape:
            if (reader.take<std::uint8_t>() > static_cast<std::uint8_t>(Escape::raw)) return false;
            return check_node(reader, depth, reads);
        case Node::negate:
            return check_node(reader, depth, reads);
        case Node::both:
        case Node::either:
            return check_branch(reader, depth, reads);
        case Node::range:
        case Node::equal:
        case Node::unequal:
        case Node::less:
        case Node::less_equal:
        case Node::greater:
        case Node::greater_equal:
        case Node::matches:
        case Node::matches_any_case:
        case Node::has:
        case Node::has_any_case:
        case Node::add:
        case Node::subtract:
        case Node::multiply:
        case Node::divide:
        case Node::remainder:
            return check_nodes(reader, 2, depth, reads);
    }
    return false;
}

const char* operator_text(Node node) {
    switch (node) {
        case Node::both:
            return " & ";
        case Node::either:
            return " | ";
        case Node::equal:
            return " == ";
        case Node::unequal:
            return " != ";
        case Node::less:
            return " < ";
        case Node::less_equal:
            return " <= ";
        case Node::greater:
            return " > ";
        case Node::greater_equal:
            return " >= ";
        case Node::matches:
            return " matches ";
        case Node::matches_any_case:
            return " matches_i ";
        case Node::has:
            return " has ";
        case Node::has_any_case:
            return " has_i ";
        case Node::add:
            return " + ";
        case Node::subtract:
            return " - ";
        case Node::multiply:
            return " * ";
        case Node::divide:
            return " / ";
        case Node::remainder:
            return " % ";
        case Node::range:
            return "..";
        default:
            return " ? ";
    }
}

std::string variable_name(Variable variable, std::string_view name) {
    switch (variable) {
        case Variable::cookie:
            return "HTTP_COOKIE";
        case Variable::query_string:
            return "QUERY_STRING";
        case Variable::host:
            return "HTTP_HOST";
        case Variable::accept_language:
            return "HTTP_ACCEPT_LANGUAGE";
        case Variable::user_agent:
            return "HTTP_USER_AGENT";
        case Variable::remote_address:
            return "REMOTE_ADDR";
        case Variable::method:
            return "REQUEST_METHOD";
        case Variable::path:
            return "REQUEST_PATH";
        case Variable::scheme:
            return "REQUEST_SCHEME";
        case Variable::header:
            return "header:" + std::string(name);
        case Variable::denied:
            return "denied:" + std::string(name);
        case Variable::of_host:
        case Variable::named:
            break;
    }
    return std::string(name);
}

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

std::string print_node(NodeReader& reader);

std::string print_list(NodeReader& reader, unsigned count, const char* between) {
    std::string out;
    for (unsigned i = 0; i < count; ++i) {
        if (i > 0) out += between;
        out += print_node(reader);
    }
    return out;
}

std::string print_variable(NodeReader& reader) {
    auto variable = static_cast<Variable>(reader.take<std::uint8_t>());
    std::string out = "$(" + variable_name(variable, reader.name());
    if (std::string_view key = reader.sized(); !key.empty()) {
        NodeReader inner(key);
        out += "{" + print_node(inner) + "}";
    }
    if (std::string_view fallback = reader.sized(); !fallback.empty()) {
        NodeReader inner(fallback);
        out += "|" + print_node(inner);
    }
    return out + ")";
}

std::string print_node(NodeReader& reader) {
    static constexpr const char* escapes[] = {"none", "html", "url", "json", "raw"};
    Node node = reader.node();
    switch (node) {
        case Node::text:
            return quoted(reader.sized());
        case Node::integer:
            return std::to_string(reader.take<std::int64_t>());
        case Node::boolean:
            return reader.take<std::uint8_t>() != 0 ? "true" : "false";
        case Node::variable:
            return print_variable(reader);
        case Node::call: {
            std::string out = "$" + std::string(functions()[reader.take<std::uint8_t>()].name);
            return out + "(" + print_list(reader, reader.take<std::uint8_t>(), ", ") + ")";
        }
        case Node::host_call: {
            std::string out = "$" + std::string(reader.name());
            return out + "(" + print_list(reader, reader.take<std::uint8_t>(), ", ") + ")";
        }
        case Node::list:
            return "[" + print_list(reader, reader.take<std::uint16_t>(), ", ") + "]";
        case Node::concat:
            return "concat(" + print_list(reader, reader.take<std::uint16_t>(), ", ") + ")";
        case Node::dictionary: {
            std::string out = "{";
            auto count = reader.take<std::uint16_t>();
            for (unsigned i = 0; i < count; ++i) out += (i > 0 ? ", " : "") + print_list(reader, 2, ": ");
            return out + "}";
        }
        case Node::escape: {
            std::string out = escapes[reader.take<std::uint8_t>()];
            return out + "(" + print_node(reader) + ")";
        }
        case Node::negate:
            return "!" + print_node(reader);
        case Node::both:
        case Node::either:
            reader.take<std::uint32_t>();
            break;
        case Node::range:
            return "[" + print_list(reader, 2, "..") + "]";
        default:
            break;
    }
    return "(" + print_list(reader, 2, operator_text(node)) + ")";
}

}  // namespace

bool valid_expression(std::string_view packed, Reads* reads) {
    if (packed.size() > expression_max_bytes) return false;
    NodeReader reader(packed);
    Reads found = 0;
    if (!check_node(reader, expression_max_depth, found) || reader.left() != 0) return false;
    if (reads != nullptr) *reads |= found;
    return true;
}

std::string expression_text(std::string_view packed) {
    if (!valid_expression(packed)) return "(not an expression)";
    NodeReader reader(packed);
    return print_node(reader);
}

}  // namespace larder::esi
