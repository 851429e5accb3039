// Uses a new libcurl handle, and so a new connection, for each call.
#include "client.hpp"

#include <curl/curl.h>

#include <memory>

#include "daemon/settings/address.hpp"

namespace larder::ctl {

namespace {

using nlohmann::json;

constexpr long connect_timeout_s = 5;
constexpr long timeout_s = 60;

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

daemon::Endpoint endpoint_of(const std::string& api) {
    auto at = daemon::parse_listen_address(api);
    if (!at) throw CallFailed("--api: \"" + api + "\"; legal: HOST:PORT or unix:/PATH");
    return *at;
}

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* body) {
    static_cast<std::string*>(body)->append(bytes, size);
    return size;
}

json judged(const std::string& api, long status, const std::string& text) {
    json body = json::parse(text, nullptr, false);
    if (status >= 200 && status < 300 && body.is_object()) return body;
    bool says_why = body.is_object() && body.contains("error") && body["error"].is_string();
    std::string why = says_why ? body["error"].get<std::string>() : "that is not an answer of larderd's";
    throw CallFailed(api + ": " + std::to_string(status) + ": " + why);
}

}  // namespace

Client::Client(const std::string& api, std::string token) : api_(api), token_(std::move(token)) {
    endpoint_of(api);
}

json Client::get(const std::string& path_and_query) const {
    return call(path_and_query, nullptr);
}

json Client::post(const std::string& path, const json& body) const {
    std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
    return call(path, &text);
}

json Client::call(const std::string& target, const std::string* body) const {
    daemon::Endpoint at = endpoint_of(api_);
    std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
    std::unique_ptr<curl_slist, FreeList> fields;
    if (!easy) throw CallFailed("libcurl is out of memory");
    for (const std::string& line : {"Authorization: Bearer " + token_,
                                    std::string("Content-Type: application/json"), std::string("Expect:")})
        fields.reset(curl_slist_append(fields.release(), line.c_str()));
    std::string answer;
    char error[CURL_ERROR_SIZE] = "";
    CURL* e = easy.get();
    std::string url = "http://" + (at.is_unix() ? "larderd" : at.text()) + target;
    curl_easy_setopt(e, CURLOPT_URL, url.c_str());
    if (at.is_unix()) curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, at.path.c_str());
    curl_easy_setopt(e, CURLOPT_PROXY, "");  // ignore $http_proxy
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, connect_timeout_s);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, timeout_s);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, &answer);
    if (body != nullptr) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, body->c_str());
    }
    if (CURLcode code = curl_easy_perform(e); code != CURLE_OK)
        throw CallFailed(api_ + ": " + (error[0] != '\0' ? error : curl_easy_strerror(code)) +
                         " (is larderd running?)");
    long status = 0;
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    return judged(api_, status, answer);
}

namespace {

template <typename Stays>
std::string escaped(const std::string& text, Stays stays) {
    std::string out;
    for (unsigned char c : text) {
        if (stays(c)) {
            out.push_back(static_cast<char>(c));
        } else {
            out.push_back('%');
            out.push_back("0123456789ABCDEF"[c >> 4]);
            out.push_back("0123456789ABCDEF"[c & 15]);
        }
    }
    return out;
}

}  // namespace

std::string percent_encoded(const std::string& text) {
    return escaped(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

std::vector<std::string> in_ascii(const std::vector<std::string>& texts) {
    std::vector<std::string> all;
    for (const std::string& text : texts) all.push_back(escaped(text, [](unsigned char c) { return c < 0x80; }));
    return all;
}

}  // namespace larder::ctl
