// Any text as the URL of an include: refused, or a path in normal form that is fit for a request line and stays below the
// root.
#include <cstdint>
#include <string>

#include "edge_includes/include_url.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder::esi;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    std::size_t newline = text.find('\n');
    std::string_view url = text.substr(0, newline);
    std::string base = "/" + std::string(newline == std::string_view::npos ? "a/b" : text.substr(newline + 1));
    EXPECT(redact_url(url).size() <= 200);
    IncludeUrl result = resolve_include_url(url, {"https", "www.example", base});
    if (!result.ok()) return 0;
    EXPECT(result.target.starts_with('/'));
    std::string_view path = std::string_view(result.target).substr(0, result.target.find('?'));
    EXPECT((std::string(path) + "/").find("/../") == std::string::npos);
    for (char c : result.target) EXPECT(c > 0x20 && c < 0x7f);
    IncludeUrl again = resolve_include_url(result.target, {"https", "www.example", base});
    EXPECT(again.ok() && again.target == result.target);
    return 0;
}
