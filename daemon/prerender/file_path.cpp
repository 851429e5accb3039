// Refuses unusual paths instead of normalising them: two URLs must never share a file.
#include "file_path.hpp"

namespace larder::daemon {

namespace {

constexpr std::size_t longest_name = 200;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool decode(std::string_view text, std::string& out) {
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
        out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
        i += 2;
    }
    return true;
}

const char* fault(const std::string& name) {
    if (name.empty()) return "the path has an empty segment";
    if (name == "." || name == "..") return "the path has a dot segment";
    if (name == page_file || name == page_file_gzip) return "that is the name of the files themselves";
    if (name.size() > longest_name) return "a segment of the path is longer than 200 bytes";
    for (unsigned char c : name) {
        if (c == '/') return "the path has an encoded slash";
        if (c < 0x20 || c == 0x7f) return "the path has a control character";
    }
    return nullptr;
}

}  // namespace

std::optional<std::vector<std::string>> file_directories(std::string_view path, std::string_view query,
                                                         const char** why) {
    *why = nullptr;
    if (!query.empty()) {
        *why = "a URL with a query has no file of its own";
        return std::nullopt;
    }
    if (path.empty() || path.front() != '/') {
        *why = "the path does not begin with a slash";
        return std::nullopt;
    }
    std::vector<std::string> directories;
    for (std::string_view rest = path.substr(1); !rest.empty();) {
        std::size_t slash = rest.find('/');
        std::string name;
        if (!decode(rest.substr(0, slash), name)) {
            *why = "the path has a malformed percent-encoding";
            return std::nullopt;
        }
        *why = fault(name);
        if (*why != nullptr) return std::nullopt;
        directories.push_back(std::move(name));
        rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    }
    return directories;
}

}  // namespace larder::daemon
