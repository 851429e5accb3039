// nlohmann-json parses the text. The functions here check types and sizes.
#include "body.hpp"

#include <algorithm>

namespace larder::daemon {

using nlohmann::json;

json read_body(const std::string& text, const std::vector<std::string>& members) {
    json body = json::parse(text, nullptr, false);
    std::string legal;
    for (const std::string& member : members) legal += (legal.empty() ? "" : ", ") + member;
    if (!body.is_object()) throw BadBody("the body is not a JSON object; legal members: " + legal);
    for (const auto& [name, value] : body.items()) {
        if (std::find(members.begin(), members.end(), name) == members.end())
            throw BadBody("unknown member \"" + name + "\"; legal: " + legal);
    }
    return body;
}

std::vector<std::string> read_texts(const json& body, const char* member) {
    auto found = body.find(member);
    if (found == body.end()) return {};
    bool texts = found->is_array() && found->size() <= max_listed &&
                 std::all_of(found->begin(), found->end(), [](const json& value) {
                     return value.is_string() && !value.get_ref<const std::string&>().empty();
                 });
    if (!texts)
        throw BadBody(std::string(member) + ": legal: a list of at most " + std::to_string(max_listed) +
                      " texts that aren't empty");
    return found->get<std::vector<std::string>>();
}

std::string read_text(const json& body, const char* member, const std::string& otherwise) {
    auto found = body.find(member);
    if (found == body.end()) return otherwise;
    if (!found->is_string()) throw BadBody(std::string(member) + ": legal: a text");
    return found->get<std::string>();
}

std::vector<PageAddress> read_pages(const json& body) {
    std::vector<PageAddress> pages;
    for (const std::string& url : read_texts(body, "urls")) {
        auto page = parse_page_url(url);
        if (!page) throw BadBody("urls: \"" + url + "\"; legal: http://HOST/PATH or https://HOST/PATH");
        pages.push_back(std::move(*page));
    }
    return pages;
}

}  // namespace larder::daemon
