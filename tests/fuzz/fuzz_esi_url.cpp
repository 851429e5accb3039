// Any text as the URL of an include: refused, or a path that is fit for a request line and stays below the
// root.
#include <cstdint>

#include "edge_includes/include_url.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder::esi;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    std::size_t newline = text.find('\n');
    std::string_view url = text.substr(0, newline);
    PageUrl page{"https", "www.example",
                 newline == std::string_view::npos ? "/a/b" : text.substr(newline + 1)};
    constexpr std::string_view allowed[] = {"cdn.example", "*.parts.example"};
    EXPECT(redact_url(url).size() <= 200);
    IncludeUrl result = resolve_include_url(url, page, allowed);
    if (!result.ok()) return 0;
    EXPECT(result.target.starts_with('/'));
    EXPECT(result.remote == !result.host.empty());
    if (result.remote)
        EXPECT(result.host.starts_with("cdn.example") ||
               result.host.find(".parts.example") != std::string::npos);
    std::string_view path = std::string_view(result.target).substr(0, result.target.find('?'));
    EXPECT((std::string(path) + "/").find("/../") == std::string::npos);
    for (char c : url) EXPECT(c > 0x20 && c < 0x7f);
    return 0;
}
