// The encoding of variants: unique for each request, and strictly checked.
#include "cache/request/variant.hpp"

#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

static bool parses(std::string_view bytes) {
    const char* why = nullptr;
    bool parsed = Variant::parse(bytes, &why).has_value();
    assert_true(parsed == (why == nullptr));
    return parsed;
}

// Whether the sample, changed, can be parsed.
static bool parses_with(const std::function<void(Variant&)>& change) {
    Variant v = sample_variant();
    change(v);
    return parses(v.encode());
}

TEST(what_is_encoded_is_read_back) {
    std::string bytes = sample_variant().encode();
    const char* why = nullptr;
    auto v = Variant::parse(bytes, &why);
    assert_true(v.has_value());
    assert_null(why);
    assert_text_equal(v->method, "GET");
    assert_text_equal(v->scheme, "https");
    assert_text_equal(v->host, "example.org:8443");
    assert_text_equal(v->path, "/news/%C3%A4");
    assert_text_equal(v->query, "page=2&q=a%20b");
    assert_text_equal(v->led, "/index.php?page=2");
    assert_text_equal(v->site, "8443,9443");
    assert_true(v->cookies == sample_variant().cookies);
    assert_true(v->headers == sample_variant().headers);
    assert_text_equal(v->encode(), bytes);
}

TEST(what_the_backend_is_sent) {
    Variant v = sample_variant();
    assert_text_equal(v.url(), "https://example.org:8443/news/%C3%A4?page=2&q=a%20b");
    assert_text_equal(v.target(), "/news/%C3%A4?page=2&q=a%20b");
    auto sign = [](std::string_view value) { return "signed:" + std::string(value); };
    assert_text_equal(v.cookie_field(sign), "lang=de; theme=");
    v.cookies[0].kind = CookieKind::verified;
    assert_text_equal(v.cookie_field(sign), "lang=signed:de; theme=");
    v.query = "";
    v.cookies.clear();
    assert_text_equal(v.target(), "/news/%C3%A4");
    assert_text_equal(v.cookie_field(sign), "");
}

TEST(a_place_that_the_uri_does_not_tell) {
    for (const char* place : {"", "@app", "@a%2Fb", "#1", "@app#12"}) {
        Variant v = sample_variant();
        std::string led = std::string(place) + "/index.php?page=2";
        v.led = led;
        std::string bytes = v.encode();
        const char* why;
        auto parsed = Variant::parse(bytes, &why);
        assert_true(parsed.has_value());
        assert_text_equal(parsed->led, led);
        assert_text_equal(parsed->led_target(), "/index.php?page=2");
        assert_true(parsed->led_by_condition() == (led.find('#') != std::string::npos));
    }
    for (const char* bad : {"@app", "#1", "app/x", "?/x", "@a b/x"})
        assert_false(parses_with([bad](Variant& v) { v.led = bad; }));
}

static void write_pairs(VariantWriter& out, const Variant& v) {
    out.start_pairs();
    for (const KeptCookie& cookie : v.cookies) out.cookie(cookie);
    out.start_pairs();
    for (const NamedValue& header : v.headers) out.header(header.name, header.value);
}

TEST(the_writer_writes_what_encode_writes) {
    Variant v = sample_variant();
    char buffer[max_variant_bytes];
    VariantWriter out(buffer, sizeof buffer);
    out.start(v.method, v.scheme, v.host, v.path, v.query, v.led, v.site);
    write_pairs(out, v);
    assert_true(out.finish().has_value());
    assert_text_equal(*out.finish(), v.encode());
}

TEST(the_writer_never_writes_beyond_its_buffer) {
    Variant v = sample_variant();
    std::size_t size = v.encode().size();
    for (std::size_t room = 0; room <= size; room++) {
        std::vector<char> buffer(room + 1, '#');
        VariantWriter out(buffer.data(), room);
        out.start(v.method, v.scheme, v.host, v.path, v.query, v.led, v.site);
        write_pairs(out, v);
        assert_int_equal(buffer[room], '#');
        assert_true(out.finish().has_value() == (room == size));
    }
}

TEST(the_writer_refuses_what_the_format_cannot_hold) {
    std::vector<char> buffer(1 << 20);
    VariantWriter pairs(buffer.data(), buffer.size());
    pairs.start("GET", "http", "h", "/", "", "", "");
    pairs.start_pairs();
    for (std::size_t i = 0; i < max_variant_pairs; i++) pairs.header(std::to_string(i), "");
    assert_true(pairs.finish().has_value());
    pairs.header("one more", "");
    assert_false(pairs.finish().has_value());
    VariantWriter text(buffer.data(), buffer.size());
    text.start("GET", "http", "h", std::string(65536, '/'), "", "", "");
    assert_false(text.finish().has_value());
}

TEST(a_cookie_that_is_absent_and_one_that_is_empty_differ) {
    Variant absent = sample_variant();
    absent.cookies.pop_back();
    assert_true(absent.encode() != sample_variant().encode());
}

TEST(a_cookie_and_its_digest_differ) {
    Variant v = sample_variant();
    v.cookies[0].kind = CookieKind::digest;
    assert_true(v.needs_visitor());
    assert_false(sample_variant().needs_visitor());
    assert_true(v.encode() != sample_variant().encode());
    assert_true(parses(v.encode()));
    assert_false(parses_with([](Variant& changed) { changed.cookies[0].kind = static_cast<CookieKind>(3); }));
}

TEST(a_page_for_those_with_credentials_needs_one_of_them) {
    Variant v = sample_variant();
    v.headers = {{authorization_field, ""}};
    assert_true(v.needs_visitor());
    assert_true(parses(v.encode()));
    assert_true(v.encode() != sample_variant().encode());
}

TEST(a_named_part_is_no_page) {
    const char* why = nullptr;
    std::string page = sample_variant().encode(), part = part_variant(page, "/box?x=1");
    auto v = Variant::parse(part, &why);
    assert_true(v.has_value());
    assert_text_equal(v->target(), "/box?x=1");
    assert_true(v->method != "GET" && v->host == sample_variant().host &&
                v->cookies == sample_variant().cookies);
    for (const char* bad : {"", "box", "?x"}) assert_text_equal(part_variant(page, bad), "");
    assert_text_equal(part_variant("nonsense", "/box"), "");
}

TEST(parts_cannot_flow_into_each_other) {
    Variant a = sample_variant();
    Variant b = sample_variant();
    a.path = "/x", a.query = "y";
    b.path = "/xy", b.query = "";
    assert_true(a.encode() != b.encode());
    a = b = sample_variant();
    a.headers.insert(a.headers.begin(), {a.cookies.back().name, a.cookies.back().value});
    a.cookies.pop_back();
    assert_true(a.encode() != b.encode());
}

TEST(every_truncation_is_refused) {
    each_truncation(sample_variant().encode(), [](std::string_view bytes) { assert_false(parses(bytes)); });
    assert_false(parses(sample_variant().encode() + '\0'));
}

TEST(a_flipped_bit_is_refused_or_is_another_variant) {
    each_flip(sample_variant().encode(), [](std::string_view bytes, std::size_t) {
        const char* why = nullptr;
        auto v = Variant::parse(bytes, &why);
        if (v) assert_text_equal(v->encode(), bytes);
    });
}

TEST(limits) {
    assert_true(parses_with([](Variant& v) { v.query = {}; }));
    std::string path(max_variant_bytes, 'x');
    path[0] = '/';
    Variant v = sample_variant();
    v.path = "/";
    std::size_t rest = v.encode().size() - 1;
    v.path = std::string_view(path).substr(0, max_variant_bytes - rest);
    assert_true(parses(v.encode()));
    v.path = std::string_view(path).substr(0, max_variant_bytes - rest + 1);
    assert_false(parses(v.encode()));
    for (std::size_t count : {max_variant_pairs, max_variant_pairs + 1}) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < count; i++) names.push_back(std::string(1, static_cast<char>('!' + i)));
        assert_true(parses_with([&](Variant& changed) {
                        changed.cookies.clear();
                        for (const std::string& name : names) changed.cookies.push_back({name, "v"});
                    }) == (count == max_variant_pairs));
    }
}

TEST(what_could_start_another_request_or_field_is_refused) {
    for (std::string_view bad :
         {std::string_view("a b"), std::string_view("a\r\nb"), std::string_view("a\nb"),
          std::string_view("a\0b", 3), std::string_view("a\x7f"), std::string_view("")}) {
        std::string slashed = "/" + std::string(bad);
        assert_false(parses_with([&](Variant& v) { v.method = bad; }));
        assert_false(parses_with([&](Variant& v) { v.scheme = bad; }));
        assert_false(parses_with([&](Variant& v) { v.host = bad; }));
        assert_false(parses_with([&](Variant& v) { v.path = bad; }));
        if (!bad.empty()) {
            assert_false(parses_with([&](Variant& v) { v.path = slashed; }));
            assert_false(parses_with([&](Variant& v) { v.query = bad; }));
        }
        assert_false(parses_with([&](Variant& v) { v.cookies = {{bad, "v"}}; }));
        assert_false(parses_with([&](Variant& v) { v.headers = {{bad, "v"}}; }));
    }
    for (std::string_view bad : {std::string_view("a\r\nb"), std::string_view("a\nb"),
                                 std::string_view("\0", 1), std::string_view("\x7f")}) {
        assert_false(parses_with([&](Variant& v) { v.cookies = {{"n", bad}}; }));
        assert_false(parses_with([&](Variant& v) { v.headers = {{"n", bad}}; }));
    }
    assert_false(parses_with([](Variant& v) { v.scheme = "ftp"; }));
    assert_false(parses_with([](Variant& v) { v.path = "news"; }));
}

TEST(order_and_uniqueness_of_names_are_part_of_the_form) {
    assert_false(parses_with([](Variant& v) { v.cookies = {{"b", ""}, {"a", ""}}; }));
    assert_false(parses_with([](Variant& v) { v.headers = {{"a", "1"}, {"a", "2"}}; }));
    assert_true(parses_with([](Variant& v) { v.cookies = {{"B", ""}, {"a", ""}}; }));
}

TEST(another_version_is_refused) {
    std::string bytes = sample_variant().encode();
    bytes[0] = variant_version + 1;
    const char* why = nullptr;
    assert_false(Variant::parse(bytes, &why).has_value());
    assert_text_equal(why, "variant has an unknown version");
}

TEST_MAIN("cache variant")
