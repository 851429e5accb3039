// The pages that a sitemap names (sitemaps.org, version 0.9).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

struct Sitemap {
    std::vector<std::string> pages;     // <url><loc>
    std::vector<std::string> sitemaps;  // <sitemap><loc>, of a sitemap index
};

// The sitemap's text: its coding undone, be it the answer's or that of a file in gzip. Throws std::runtime_error for what is
// malformed, or longer than `most` bytes.
std::string decoded_sitemap(std::string bytes, std::string_view coding, std::size_t most);

// At most `most` of each; the rest is left out. Nothing, and the reason in `why`, for what is no well-formed XML.
std::optional<Sitemap> parse_sitemap(std::string_view xml, std::size_t most, std::string& why);

}  // namespace larder::daemon
