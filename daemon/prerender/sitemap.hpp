// Reads sitemaps (sitemaps.org, version 0.9).
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

// Undoes the Content-Encoding `coding`, if any, and then gzip, as many sitemaps are .xml.gz files. Throws
// std::runtime_error if the coding is unknown, the bytes are malformed, or the text is longer than `most` bytes.
std::string decoded_sitemap(std::string bytes, std::string_view coding, std::size_t most);

// Returns at most `most` pages and `most` sitemaps. Returns nothing, with the reason in `why`, if it is not well-formed XML.
std::optional<Sitemap> parse_sitemap(std::string_view xml, std::size_t most, std::string& why);

}  // namespace larder::daemon
