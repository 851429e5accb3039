// Uses Expat, which fetches no external entities and limits the expansion of internal ones.
#include "sitemap.hpp"

#include <expat.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "cache/response/decoder.hpp"
#include "cache/response/fields.hpp"

namespace larder::daemon {

namespace {

constexpr std::size_t longest_url = 8192;

struct Reading {
    Sitemap sitemap;
    std::size_t most = 0;
    std::vector<std::string> open;  // names of the open elements, outermost first
    std::string text;               // of the <loc> that is open; longer than longest_url: it is left out
};

std::string local_name(const char* name) {
    std::string_view text(name);
    std::size_t colon = text.rfind(':');
    return std::string(colon == std::string_view::npos ? text : text.substr(colon + 1));
}

void on_start(void* self, const char* name, const char**) {
    auto& reading = *static_cast<Reading*>(self);
    reading.open.push_back(local_name(name));
    reading.text.clear();
}

void on_text(void* self, const char* text, int size) {
    auto& reading = *static_cast<Reading*>(self);
    bool in_loc = !reading.open.empty() && reading.open.back() == "loc";
    if (in_loc)
        reading.text.append(text, std::min(static_cast<std::size_t>(size), longest_url + 1 - reading.text.size()));
}

std::string trimmed(const std::string& text) {
    std::size_t begin = text.find_first_not_of(" \t\r\n");
    std::size_t end = text.find_last_not_of(" \t\r\n");
    return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

void on_end(void* self, const char*) {
    auto& reading = *static_cast<Reading*>(self);
    std::size_t depth = reading.open.size();
    if (depth == 3 && reading.open.back() == "loc") {
        const std::string& around = reading.open[1];
        auto& list = around == "sitemap" ? reading.sitemap.sitemaps : reading.sitemap.pages;
        bool fits = reading.text.size() <= longest_url && list.size() < reading.most;
        if ((around == "url" || around == "sitemap") && fits)
            list.push_back(trimmed(reading.text));
    }
    reading.open.pop_back();
}

}  // namespace

std::string decoded_sitemap(std::string bytes, std::string_view coding, std::size_t most) {
    auto undo = [&bytes, most](std::string_view name) {
        auto decoder = Decoder::make(name, most);
        std::string text;
        if (!decoder || !decoder->feed(bytes, text) || !decoder->complete())
            throw std::runtime_error("it is not " + std::string(name) + ", or too long");
        bytes = std::move(text);
    };
    if (!coding.empty() && !equals_ignore_case(coding, "identity")) undo(coding);
    if (bytes.starts_with("\x1f\x8b")) undo("gzip");
    return bytes;
}

// Sites often send a line break before the XML declaration, which XML forbids. White space there is skipped.
std::optional<Sitemap> parse_sitemap(std::string_view xml, std::size_t most, std::string& why) {
    xml.remove_prefix(std::min(xml.size(), xml.find_first_not_of(" \t\r\n")));
    std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
    if (!parser) throw std::bad_alloc();
    Reading reading;
    reading.most = most;
    XML_SetUserData(parser.get(), &reading);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    if (XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), 1) == XML_STATUS_OK)
        return reading.sitemap;
    why = std::string("line ") + std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": " +
          XML_ErrorString(XML_GetErrorCode(parser.get()));
    return std::nullopt;
}

}  // namespace larder::daemon
