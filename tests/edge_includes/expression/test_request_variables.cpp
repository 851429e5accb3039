// The variables of ESI 1.0.
#include "edge_includes/expression/request_variables.hpp"

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {
std::string value(std::string_view name, Request& request) {
    return render("<esi:vars>$raw($(" + std::string(name) + "))</esi:vars>", request);
}
}  // namespace

TEST(cookies_come_through_one_accessor) {
    Request request;
    request.cookies["group"] = "a";
    request.headers["cookie"] = "group=a; sessionid=secret";
    request.headers["authorization"] = "Basic x";
    assert_text_equal(value("HTTP_COOKIE{group}", request), "a");
    assert_text_equal(value("HTTP_COOKIE{sessionid}", request), "");
    for (const char* other : {"HTTP_COOKIE", "HTTP_cookie", "HTTP_Cookie", "HTTP_COOKIE2",
                              "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"}) {
        assert_text_equal(value(other, request), "");
    }
    for (const std::string& name : request.asked_headers) assert_true(is_readable_header(name));
}

TEST(query_arguments_are_decoded) {
    Request request;
    request.query = "a=1&b=x%20y+z&c&d%65=e&a=2&=empty";
    assert_text_equal(value("QUERY_STRING{a}", request), "1");
    assert_text_equal(value("QUERY_STRING{b}", request), "x y z");
    assert_text_equal(value("QUERY_STRING{c}|none", request), "none");
    assert_text_equal(value("QUERY_STRING{de}", request), "e");
    assert_text_equal(value("QUERY_STRING{x}|none", request), "none");
    assert_text_equal(value("QUERY_STRING", request), request.query);
}

TEST(the_request_line_is_there) {
    Request request;
    assert_text_equal(value("HTTP_HOST", request), "www.example");
    assert_text_equal(value("REQUEST_METHOD", request), "GET");
    assert_text_equal(value("REQUEST_PATH", request), "/page");
    assert_text_equal(value("REQUEST_SCHEME", request), "https");
    assert_text_equal(value("REMOTE_ADDR|hidden", request), "hidden");
    request.address = "192.0.2.1";
    assert_text_equal(value("REMOTE_ADDR", request), "192.0.2.1");
}

TEST(other_headers_are_known_by_their_names) {
    Request request;
    request.headers["x-device-class"] = "mobile";
    assert_text_equal(value("HTTP_X_DEVICE_CLASS", request), "mobile");
    assert_text_equal(value("HTTP_X_NOT_SENT|none", request), "none");
}

TEST(languages_are_accepted_by_range_and_quality) {
    constexpr std::string_view header = "de-CH, en;q=0.8, fr; q=0 , it;q=0.0";
    assert_true(accepts_language(header, "en"));
    assert_true(accepts_language(header, "DE"));
    assert_true(accepts_language(header, "de-ch"));
    assert_false(accepts_language(header, "fr"));
    assert_false(accepts_language(header, "it"));
    assert_false(accepts_language(header, "d"));
    assert_false(accepts_language("", "en"));
    Request request;
    request.headers["accept-language"] = header;
    assert_text_equal(value("HTTP_ACCEPT_LANGUAGE{en}", request), "true");
    assert_text_equal(value("HTTP_ACCEPT_LANGUAGE{fr}", request), "false");
    assert_text_equal(value("HTTP_ACCEPT_LANGUAGE", request), header);
}

TEST(agents_have_parts) {
    constexpr std::string_view firefox =
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/118.0";
    constexpr std::string_view explorer = "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";
    constexpr std::string_view safari =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.0 Safari/605.1.15";
    assert_text_equal(agent_browser(firefox), "MOZILLA");
    assert_text_equal(agent_browser(explorer), "MSIE");
    assert_text_equal(agent_browser("curl/8.0"), "OTHER");
    assert_text_equal(agent_version(firefox), "118.0");
    assert_text_equal(agent_version(explorer), "6.0");
    assert_text_equal(agent_version(safari), "17.0");
    assert_text_equal(agent_version("curl/8.0"), "8.0");
    assert_text_equal(agent_version("nothing"), "");
    assert_text_equal(agent_os(firefox), "UNIX");
    assert_text_equal(agent_os(explorer), "WIN");
    assert_text_equal(agent_os(safari), "MAC");
    assert_text_equal(agent_os("curl/8.0"), "OTHER");
    Request request;
    request.headers["user-agent"] = firefox;
    assert_text_equal(value("HTTP_USER_AGENT{browser}", request), "MOZILLA");
    assert_text_equal(value("HTTP_USER_AGENT{os}", request), "UNIX");
    assert_text_equal(value("HTTP_USER_AGENT{version}", request), "118.0");
    assert_text_equal(value("HTTP_USER_AGENT", request), firefox);
}

TEST(the_host_adds_variables) {
    Request request;
    request.variables["site"] = "main";
    request.variables["site.name"] = "Larder";
    assert_text_equal(value("site", request), "main");
    assert_text_equal(value("site{name}", request), "Larder");
    assert_text_equal(value("site{x}|none", request), "none");
}

TEST_MAIN("request_variables")
