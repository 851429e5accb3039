// Settings: defaults, and errors with the line, the value and what is legal.
#include "daemon/settings/settings.hpp"

#include <algorithm>

#include "daemon/settings/address.hpp"

#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {

constexpr char good[] = R"([[store]]
name = "main"
url = "redis://127.0.0.1"
[[backend]]
name = "site"
hosts = ["*"]
url = "http://127.0.0.1:8000"
)";

// The errors of the valid settings followed by `more`, which begins in line 8.
std::string wrong(const std::string& more) {
    try {
        parse_settings(good + more, "f");
    } catch (const SettingsError& error) {
        return error.what();
    }
    return "nothing";
}

}  // namespace

TEST(few_settings_are_needed) {
    Settings settings = parse_settings(good, "f");
    assert_int_equal(settings.stores.size(), 1);
    assert_text_equal(settings.stores[0].prefix, "larder:");
    assert_int_equal(settings.backends[0].concurrency, 4);
    assert_int_equal(settings.backends[0].timeout.count(), 30'000);
    assert_text_equal(settings.api.listen, "127.0.0.1:9180");
}

TEST(durations_and_sizes_have_units) {
    Settings settings = parse_settings(
        std::string(good) + "[queue]\nlease = \"1m\"\nretry_first = 2\n[render]\nmax_body = \"2m\"\n", "f");
    assert_int_equal(settings.queue.lease.count(), 60'000);
    assert_int_equal(settings.queue.retry_first.count(), 2000);
    assert_int_equal(settings.render.max_body.bytes, 2 << 20);
    for (const char* text :
         {"", "s", "-1s", "1.5s", "1 s", "1w", "10msx", "99999999999999999999s", "999999999d"})
        assert_false(parse_duration(text).has_value());
    for (const char* text : {"", "k", "-1", "1kb", "99999999999999999g"})
        assert_false(parse_size(text).has_value());
}

TEST(errors_name_line_value_and_what_is_legal) {
    assert_text_equal(wrong("[render]\nconcurrency = 0\n"),
                      "f:9: render.concurrency: 0 is not legal; legal: a whole number, 1 to 4096");
    assert_text_equal(wrong("[render]\nconcurrency = \"many\"\n"),
                      "f:9: render.concurrency: 'many' is not legal; legal: a whole number, 1 to 4096");
    assert_text_equal(wrong("[queue]\nlease = \"1w\"\n"),
                      "f:9: queue.lease: '1w' is not legal; legal: a duration, \"2s\" to \"10m\"");
    assert_text_equal(
        wrong("[log]\nlevel = \"loud\"\n"),
        "f:9: log.level: 'loud' is not legal; legal: a text, \"debug\", \"info\", \"warning\", \"error\"");
    assert_text_equal(wrong("[api]\nlisten = \"9180\"\n"),
                      "f:9: api.listen: '9180' is not legal; legal: a text, HOST:PORT or unix:/PATH");
}

TEST(unknown_names_are_errors) {
    assert_text_equal(wrong("[log]\nlevle = \"info\"\n"),
                      "f:9: unknown setting \"levle\" in [log]; legal: level, file");
    assert_true(
        wrong("[logs]\n")
            .starts_with("f:8: unknown section \"logs\"; legal: api, signing, queue, store, purge, nginx, backend,"));
    assert_true(
        wrong("log = 1\n").starts_with("f:8: unknown setting \"log\" in [backend]; legal: name, hosts,"));
    assert_text_equal(wrong("[[log]]\n"), "f:8: \"log\" is not a section; legal: [log]");
    assert_text_equal(wrong("[prerender]\n"),
                      "f:8: \"prerender\" is not a list of sections; legal: [[prerender]]");
}

TEST(all_that_is_wrong_is_told_at_once) {
    std::string text = wrong("[log]\nlevel = \"x\"\nfile = \"relative\"\n[render]\nthreads = 1000\n");
    assert_int_equal(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(missing_and_contradicting_settings_are_errors) {
    assert_true(wrong("[[store]]\nurl = \"redis://a\"\n")
                    .starts_with("f:8: store.name is missing; legal: 1 to 64 letters"));
    assert_text_equal(wrong("[[store]]\nname = \"main\"\nurl = \"redis://a\"\n"),
                      "f:8: store.name: \"main\" is there twice; legal: a name of its own");
    assert_text_equal(wrong("[warm]\nstore = \"other\"\n"),
                      "f:8: warm.store: \"other\" is not a [[store]]; legal: \"main\"");
    assert_text_equal(wrong("[[prerender]]\nname = \"p\"\n"),
                      "f:8: prerender \"p\" names no page; legal: urls, or sitemap, or both");
    assert_text_equal(
        wrong("[[prerender]]\nname = \"p\"\ndirectory = \"/d\"\nurls = [\"http://a/\", \"http://b/\"]\n"),
        "f:8: prerender.urls: \"http://b/\" is of another host than the first; legal with directory: one "
        "host");
    assert_text_equal(wrong("[[prerender]]\nname = \"p\"\ndirectory = \"/d\"\nurls = [\"http://a/?x\"]\n"),
                      "f:8: prerender.urls: \"http://a/?x\": a URL with a query has no file of its own; "
                      "legal with directory: plain paths");
    assert_true(
        wrong("[queue]\nretry_first = \"1h\"\n").find("is below queue.retry_first; legal: at least \"1h\"") !=
        std::string::npos);
    try {
        parse_settings("", "f");
        assert_true(false);
    } catch (const SettingsError& error) {
        assert_text_equal(
            error.what(),
            "f: there is no [[store]]; legal: at least one\nf: there is neither a [[backend]] nor a key under "
            "[signing], with which nginx is asked for pages; legal: one of them");
    }
}

// Such sets could not be rendered, or would overwrite each other's files.
TEST(prerender_sets_that_cannot_work_are_errors) {
    std::string backend = "[[store]]\nname = \"main\"\nurl = \"redis://a\"\n[[backend]]\nname = \"b\"\nhosts = [\"site\"]\n"
                          "url = \"http://b\"\n";
    auto said = [&](const std::string& more) -> std::string {
        try {
            parse_settings(backend + more, "f");
        } catch (const SettingsError& error) {
            return error.what();
        }
        return "valid";
    };
    std::string set = "[[prerender]]\nname = \"p\"\n";
    assert_text_equal(said(set + "urls = [\"http://site/\", \"http://other/\"]\nsitemap = \"http://third/s.xml\"\n"),
                      "f:8: prerender.urls: no [[backend]] renders the host of \"http://other/\"; legal: a host that one "
                      "of backend.hosts names\nf:8: prerender.sitemap: no [[backend]] renders the host of "
                      "\"http://third/s.xml\"; legal: a host that one of backend.hosts names");
    // nginx renders the hosts that no backend names, if there is a key, and fetches their sitemaps, if there are nginx.urls.
    std::string others = set + "urls = [\"http://other/\"]\n";
    std::string key = "[signing]\nkey = \"" + std::string(32, 'k') + "\"\n";
    assert_text_equal(said(others + key), "valid");
    assert_text_equal(said(others + "sitemap = \"http://third/s.xml\"\n" + key + "[nginx]\nurls = [\"http://127.0.0.1\"]\n"), "valid");
    assert_text_equal(said(others + "sitemap = \"http://third/s.xml\"\n" + key),
                      "f:8: prerender.sitemap: no [[backend]] renders the host of \"http://third/s.xml\"; legal: a host that one "
                      "of backend.hosts names");
    std::string urls = "urls = [\"http://site/\"]\ndirectory = \"/d\"\n";
    assert_text_equal(said(set + urls + "[[prerender]]\nname = \"q\"\nurls = [\"http://site/\"]\ndirectory = \"/x/..//d/\"\n"),
                      "f:12: prerender.directory: \"/x/..//d/\" is that of the set \"p\", too; legal: a directory of its own");
    // Programs may generate such lists, so this is no error: the page is skipped at run time.
    assert_text_equal(said(set + "urls = [\"http://site/\", \"http://site/index.html\"]\ndirectory = \"/d\"\n"), "valid");
}

TEST(an_empty_file_is_readable) {
    try {
        load_settings("/dev/null");
        assert_true(false);
    } catch (const SettingsError& error) {
        assert_true(std::string(error.what()).starts_with("/dev/null: there is no [[store]]"));
    }
}

TEST(what_cannot_be_read_is_an_error) {
    for (const char* file : {"/", "/nowhere"}) {
        try {
            load_settings(file);
            assert_true(false);
        } catch (const SettingsError& error) {
            assert_text_equal(error.what(), std::string(file) + ": cannot be read; legal: a readable file");
        }
    }
}

TEST(what_no_program_can_use_is_not_legal) {
    assert_true(wrong("[log]\nfile = \"/var/log/a\\u0000b\"\n").find("log.file") != std::string::npos);
    for (const char* name : {"Upgrade", "TE", "Trailer", "Expect"})
        assert_true(wrong("[[backend]]\nname = \"b\"\nurl = \"http://h\"\nhosts = [\"h\"]\nheaders = [\"" + std::string(name) +
                          ": x\"]\n").find("backend.headers") != std::string::npos);
}

TEST(databases_are_checked_as_a_whole) {
    std::string text = wrong(
        "[[database]]\nprimary = { alias = \"default\", dsn = \"host=a\" }\n[[database.replica]]\nalias = "
        "\"default\"\ndsn = \"host=b\"\n");
    assert_true(text.find("f:8: database.replica[0].alias ") != std::string::npos);
    assert_true(text.find("signing.key is missing, and databases are configured") != std::string::npos);
    assert_true(wrong("[[database]]\nprimary = { alias = \"default\", dns = \"host=a\" }\n")
                    .find("f:9: database.primary: its value is not legal") != std::string::npos);
}

TEST(what_is_no_toml_is_told_by_line) {
    assert_true(wrong("[log\n").starts_with("f:8: not TOML: "));
}

TEST(secrets_are_not_repeated) {
    assert_text_equal(
        wrong("[api]\ntoken = \"hush\"\n"),
        "f:9: api.token: its value is not legal; legal: a text, at least 16 visible characters, or empty");
    for (const char* text : {"[[store]]\nname = \"s\"\nurl = \"redis://user:hush@\"\n",
                             "[[backend]]\nname = \"b\"\nurl = \"http://h\"\nhosts = [\"h\"]\nheaders = [\"X Y: hush\"]\n",
                             "[nginx]\nurls = [\"http://user:hush@h\"]\n",
                             "[[prerender]]\nname = \"p\"\nurls = [\"http://user:hush@h/\"]\n"}) {
        std::string said = wrong(text);
        assert_true(said.find("its value is not legal") != std::string::npos);
        assert_true(said.find("hush") == std::string::npos);
    }
}

TEST(urls_are_checked) {
    for (const char* url :
         {"redis://h", "redis://h:1/2", "redis://u:p@h:1", "redis://[::1]:6379", "unix:/run/redis.sock",
          "redis+unix:/run/redis.sock", "redis://p@h"})
        assert_true(parse_redis_url(url).has_value());
    for (const char* url : {"redis://", "redis://h:x", "redis://h:99999", "redis://:%@h", "redis://h/x",
                            "redis://h/-1", "http://h", "unix:relative", "redis://[::1"}) {
        assert_false(parse_redis_url(url).has_value());
    }
    assert_int_equal(parse_memcached_url("memcached://a,b:1,c")->size(), 3);
    for (const char* url : {"memcached://", "memcached://a,", "memcached://a:b"})
        assert_false(parse_memcached_url(url).has_value());
    assert_text_equal(parse_backend_url("http://Host:8000/")->origin, "http://Host:8000");
    for (const char* url : {"http://h/path", "ftp://h", "h:80", "http://"})
        assert_false(parse_backend_url(url).has_value());
}

TEST(pages_are_taken_apart_as_variants_are) {
    auto page = *parse_page_url("https://WWW.Example.com:443/a%20b/?x=1&y");
    assert_text_equal(page.scheme, "https");
    assert_text_equal(page.host, "www.example.com");
    assert_text_equal(page.path, "/a%20b/");
    assert_text_equal(page.query, "x=1&y");
    assert_text_equal(parse_page_url("http://h:8080?q")->path, "/");
    assert_text_equal(parse_page_url("http://h:8080")->host, "h:8080");
    page = *parse_page_url("HTTP://h.:80/x/../a b/%7e\xc3\xa9?%2f#f");
    assert_text_equal(page.host + page.path + "?" + page.query, "h/a%20b/~%C3%A9?%2F");
    for (const char* url : {"/path", "ftp://h/", "http:///p", "http://h/a\nb", "http://u:p@h/"})
        assert_false(parse_page_url(url).has_value());
}

TEST(the_list_has_each_setting_with_its_default) {
    std::string list = list_settings();
    assert_true(list.find("[queue]\tlease\tDuration\t\"15s\"\t\"2s\" to \"10m\"\trestart\t") !=
                std::string::npos);
    assert_true(list.find("[[backend]]\tconcurrency\tNumber\t4\t1 to 1024\tlive\t") != std::string::npos);
}

TEST(a_reload_tells_what_it_cannot_change) {
    Settings a = parse_settings(good, "f"), b = a;
    b.render.concurrency = 3;
    assert_int_equal(restart_needed(a, b).size(), 0);
    b.queue.url = "redis://other";
    b.stores[0].prefix = "p:";
    std::vector<std::string> names = restart_needed(a, b);
    assert_int_equal(names.size(), 2);
    assert_text_equal(names[0], "queue.url");
    assert_text_equal(names[1], "store.prefix");
}

TEST_MAIN("settings")
