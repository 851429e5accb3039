// The order in which nginx servers are asked, and the requests that they get.
#include "daemon/render/by_nginx.hpp"

#include "tests/cmocka.hpp"

using namespace larder;
using namespace larder::daemon;

namespace {

Variant page() {
    return {.method = "GET", .scheme = "https", .host = "example.org:8443", .path = "/a", .query = "", .cookies = {}, .headers = {}};
}

std::optional<BackendRequest> request_to(const std::string& url) {
    Settings settings;
    settings.signing.key = "a key of sixteen or more";
    settings.nginx.timeout = std::chrono::seconds(7);
    RenderCall call;
    call.variant = page().encode();
    const char* why = nullptr;
    auto request = nginx_request(url, call, page(), settings, 1700000000, &why);
    assert_true(request.has_value() == (why == nullptr));
    return request;
}

std::string joined(const std::vector<std::string>& urls) {
    std::string text;
    for (const std::string& url : urls) text.append(url).append(" ");
    return text;
}

}  // namespace

TEST(the_jobs_own_then_the_settings_then_those_of_late) {
    NginxServers servers;
    NginxSettings settings;
    assert_text_equal(joined(servers.for_job("", settings)), "");
    assert_text_equal(joined(servers.for_job("http://a", settings)), "http://a ");
    settings.urls = {"http://s", "http://a"};
    assert_text_equal(joined(servers.for_job("http://b", settings)), "http://b http://s http://a ");
    assert_text_equal(joined(servers.for_job("", settings)), "http://s http://a http://b ");
    assert_text_equal(joined(servers.for_job("http://a", settings)), "http://a http://s http://b ");
}

TEST(only_so_many_are_remembered) {
    NginxServers servers;
    for (int i = 0; i < 100; i++) servers.for_job("http://n" + std::to_string(i), {});
    auto known = servers.for_job("", {});
    assert_int_equal(known.size(), 16);
    assert_text_equal(known.front(), "http://n99");
}

TEST(a_signed_post_at_the_address) {
    auto request = request_to("http://192.0.2.7:8080");
    assert_text_equal(request->origin, "http://192.0.2.7:8080");
    assert_text_equal(request->connect_to, "");
    assert_text_equal(request->target, "/.larder/render");
    assert_int_equal(request->timeout.count(), 7000);
    const char* why = nullptr;
    auto call = decode_render_call(request->body, &why);
    assert_true(call.has_value());
    assert_text_equal(call->variant, page().encode());
    Signer signer({"a key of sixteen or more"}, render_salt);
    bool is_signed = false;
    for (const auto& [name, value] : request->fields) {
        if (name == "Host") assert_text_equal(value, "example.org:8443");
        if (name == render_field) is_signed = is_signed_render_call(signer, value, request->body, 1700000000);
    }
    assert_true(is_signed);
}

TEST(by_tls_the_page_is_who_has_to_prove_itself) {
    auto request = request_to("https://192.0.2.7:8443");
    assert_text_equal(request->origin, "https://example.org:8443");
    assert_text_equal(request->connect_to, "::192.0.2.7:8443");
}

TEST(a_unix_socket_and_nonsense) {
    assert_text_equal(request_to("unix:/run/nginx.sock")->socket_path, "/run/nginx.sock");
    for (const char* bad : {"", "nginx", "ftp://a", "http://", "http://a b", "http://a/path"})
        assert_false(request_to(bad).has_value());
}

TEST_MAIN("by nginx")
