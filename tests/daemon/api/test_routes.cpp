// How the API judges a request by its header section.
#include "daemon/api/query.hpp"
#include "daemon/api/server.hpp"
#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {

LiveSettings settings_with(const std::string& token) {
    Settings settings;
    settings.api.token = token;
    return LiveSettings(std::move(settings));
}

ApiServer& add_routes(ApiServer& server) {
    server.get("/page", [](const ApiRequest&) { return ApiAnswer{}; });
    server.post("/call", [](const ApiRequest&) { return ApiAnswer{}; });
    server.check("/check", [](const ApiRequest&) { return ApiAnswer{503, ""}; });
    server.check("/healthz", [](const ApiRequest&) { return ApiAnswer{204, ""}; });
    return server;
}

}  // namespace

TEST(each_request_is_judged_by_its_head) {
    LiveSettings settings = settings_with("0123456789abcdef");
    ApiServer server(settings);
    add_routes(server);
    struct {
        const char *method, *path, *authorization, *type;
        int status;  // 0: the request is passed to its handler
        const char* allow;
    } rows[] = {
        {"GET", "/page", "", "", 401, ""},
        {"GET", "/nowhere", "", "", 401, ""},
        {"GET", "/check", "", "", 401, ""},
        {"OPTIONS", "/healthz", "", "", 204, ""},
        {"GET", "/page", "Bearer 0123456789abcdef", "", 0, ""},
        {"HEAD", "/page", "Bearer 0123456789abcdef", "", 0, ""},
        {"POST", "/page", "Bearer 0123456789abcdef", "application/json", 405, "GET, HEAD"},
        {"OPTIONS", "/page", "Bearer 0123456789abcdef", "", 405, "GET, HEAD"},
        {"POST", "/call", "Bearer 0123456789abcdef", "application/json; charset=utf-8", 0, ""},
        {"POST", "/call", "Bearer 0123456789abcdef", "text/plain", 415, ""},
        {"POST", "/call", "Bearer 0123456789abcdef", "", 415, ""},
        {"GET", "/call", "Bearer 0123456789abcdef", "", 405, "POST"},
        {"GET", "/check", "Bearer 0123456789abcdef", "", 503, ""},
        {"HEAD", "/check", "Bearer 0123456789abcdef", "", 503, ""},
        {"OPTIONS", "/check", "Bearer 0123456789abcdef", "", 503, ""},
        {"DELETE", "/check", "Bearer 0123456789abcdef", "", 405, "GET, HEAD, OPTIONS"},
        {"GET", "/nowhere", "Bearer 0123456789abcdef", "", 404, ""},
    };
    for (const auto& row : rows) {
        print_message("%s %s\n", row.method, row.path);
        ApiRequest head;
        head.method = row.method;
        head.path = row.path;
        head.authorization = row.authorization;
        head.content_type = row.type;
        auto answer = server.admit(head);
        assert_int_equal(answer ? answer->status : 0, row.status);
        std::string allow;
        for (const auto& [name, value] : answer.value_or(ApiAnswer{}).fields) {
            if (name == "Allow") allow = value;
        }
        assert_text_equal(allow, row.allow);
    }
}

TEST(without_a_token_only_healthz_answers) {
    LiveSettings settings = settings_with("");
    ApiServer server(settings);
    add_routes(server);
    ApiRequest head;
    head.method = "GET";
    head.path = "/healthz";
    assert_int_equal(server.admit(head)->status, 204);
    head.path = "/page";
    head.authorization = "Bearer ";
    assert_int_equal(server.admit(head)->status, 403);
}

TEST(parameters_are_decoded) {
    assert_text_equal(query_parameter("a=1&url=http%3A%2F%2Fa%2f%3Fb%3D1+2&url=no", "url").value_or("-"),
                      "http://a/?b=1 2");
    assert_text_equal(query_parameter("url", "url").value_or("-"), "");
    assert_text_equal(query_parameter("url=%4&x=%zz%", "x").value_or("-"), "%zz%");
    assert_text_equal(query_parameter("url=%4", "url").value_or("-"), "%4");
    assert_false(query_parameter("", "url").has_value());
    assert_false(query_parameter("curl=1&&=", "url").has_value());
}

TEST_MAIN("routes")
