// The boundaries of markup, in documents in chunks of any size.
#include "edge_includes/scanner.hpp"

#include <vector>

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {

// Records tokens as [kind:raw]. Adjacent text tokens are joined, because chunk boundaries may divide them.
struct Recorder : TokenSink {
    std::string out;
    bool text_before = false;
    std::uint64_t next = 0;
    void token(const Token& token) override {
        static constexpr const char* names[] = {"",        "open", "close",  "$",       "esi",
                                                "comment", "end",  "script", "/script", "broken"};
        if (token.offset != next) out += "{gap}";
        next = token.offset + token.raw.size();
        bool text = token.kind == Token::Kind::text;
        if (text) {
            out += token.raw;
        } else {
            out += "[" + std::string(names[static_cast<std::size_t>(token.kind)]) + ":" +
                   std::string(token.raw) + "]";
        }
        if (token.kind == Token::Kind::begin_script) in_script = true;
        if (token.kind == Token::Kind::end_script) in_script = false;
    }
};

std::string scan(std::string_view document, std::size_t chunk, std::size_t longest = 64) {
    Recorder recorder;
    recorder.wants_interpolation = true;
    recorder.wants_end_comment = true;
    Scanner scanner(recorder, longest);
    for (std::size_t at = 0; at < document.size(); at += chunk) scanner.feed(document.substr(at, chunk));
    scanner.finish();
    return recorder.next == document.size() ? recorder.out : recorder.out + "{lost}";
}

struct Case {
    const char* document;
    const char* tokens;
};

constexpr Case cases[] = {
    {"a<esi:include src='/>'/>b</esi:include>", "a[open:<esi:include src='/>'/>]b[close:</esi:include>]"},
    {"<b><esi:x \"'>'\"><i>", "<b>[open:<esi:x \"'>'\">]<i>"},
    {"<!--esi x--><!--esix--><!--esi-->",
     "[esi:<!--esi] x[end:-->][esi:<!--esi]x[end:-->][esi:<!--esi][end:-->]"},
    {"<!-- a --><!--><!---><!--", "[comment:<!--] a [end:-->]<![end:-->]<!-[end:-->][comment:<!--]"},
    {"<script>a<!--b</script><SCRIPT >x</Script\n><scripty>",
     "[script:<script]>a<!--b[/script:</script]>[script:<SCRIPT] >x[/script:</Script]\n><scripty>"},
    {"$(A)$f(1,'(')$ ($(B{c}|')')x", "[$:$(A)][$:$f(1,'(')]$ ([$:$(B{c}|')')]x"},
    {"$(A", "$(A"},
    {"$(A<esi:x/>", "$(A[open:<esi:x/>]"},
    {"<esi:a <b>", "[broken:<esi:a ]<b>"},
    {"<esi:a 'x<esi:b/>", "[broken:<esi:a 'x][open:<esi:b/>]"},
    {"<esi:a 'x</esi:b>", "[broken:<esi:a 'x][close:</esi:b>]"},
    {"<esi:a '<i>'>", "[open:<esi:a '<i>'>]"},
    {"<esi:a", "[broken:<esi:a]"},
    {"<esi:0123456789012345678901234567890123456789012345678901234567890123456789/>",
     "[broken:<esi:01234567890123456789012345678901234567890123456789012345678]90123456789/>"},
    {"<es<esi<<esi:x/>", "<es<esi<[open:<esi:x/>]"},
    {"--->-->", "-[end:-->][end:-->]"},
};

}  // namespace

TEST(tokens_are_found) {
    for (const Case& test : cases) assert_text_equal(scan(test.document, 1000), test.tokens);
}

TEST(chunks_may_be_cut_anywhere) {
    for (const Case& test : cases) {
        for (std::size_t chunk = 1; chunk < 12; ++chunk)
            assert_text_equal(scan(test.document, chunk), test.tokens);
    }
}

TEST(lines_are_counted) {
    struct Lines : TokenSink {
        std::vector<std::uint32_t> seen;
        void token(const Token& token) override {
            if (token.kind == Token::Kind::open) seen.push_back(token.line);
        }
    } lines;
    Scanner scanner(lines, 100);
    for (char c : std::string("<esi:a/>\n\n<esi:b\n/>\n<esi:c/>")) scanner.feed({&c, 1});
    scanner.finish();
    assert_true((lines.seen == std::vector<std::uint32_t>{1, 3, 5}));
}

TEST(a_long_document_after_a_cut_tag_is_not_lost) {
    std::string document = "<esi:x/>" + std::string(20'000, 'y') + "<esi:z/>";
    Recorder recorder;
    Scanner scanner(recorder, 100);
    scanner.feed(std::string_view(document).substr(0, 3));
    scanner.feed(std::string_view(document).substr(3));
    scanner.finish();
    assert_int_equal(recorder.next, document.size());
    assert_true(recorder.out.ends_with("y[open:<esi:z/>]"));
}

TEST_MAIN("scanner")
