// Decoding: however the input is cut, within the bound, and never more than the input says.
#include "cache/response/decoder.hpp"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

std::string deflated(const std::string& text, int window_bits) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 32, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string coded(const std::string& text, std::string_view coding) {
    if (coding == "gzip") return deflated(text, 31);
    if (coding == "deflate") return deflated(text, 15);
    std::string out(text.size() + 1024, '\0');
    std::size_t size = out.size();
    if (coding == "br")
        BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(),
                              reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                              reinterpret_cast<std::uint8_t*>(out.data()));
    else
        size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
    out.resize(size);
    return out;
}

// Decodes in pieces of `cut` bytes. "-" if refused; "..." is appended if more input is expected.
std::string decoded(std::string_view bytes, std::string_view coding, std::size_t cut = 1u << 20,
                    std::size_t most = 1u << 24) {
    auto decoder = Decoder::make(coding, most);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += cut) {
        if (!decoder->feed(bytes.substr(at, cut), out)) return "-";
    }
    return decoder->complete() ? out : out + "...";
}

const char* const codings[] = {"gzip", "deflate", "br", "zstd"};

std::string long_text() {
    std::string text;
    for (int i = 0; i < 20000; i++) text += std::to_string(i * 7919 % 10007) + ' ';
    return text;
}

}  // namespace

TEST(what_was_coded_is_read_back_whatever_the_cut) {
    for (const std::string& text : {std::string("a"), std::string("<p>page</p>\n"), long_text()}) {
        for (const char* coding : codings) {
            std::string bytes = coded(text, coding);
            for (std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
                if (cut == 1 && text.size() > 1000) continue;
                assert_text_equal(decoded(bytes, coding, cut), text);
            }
        }
    }
    for (const char* coding : codings) assert_text_equal(decoded(coded("", coding), coding), "");
}

TEST(other_codings_are_not_ours) {
    for (const char* coding : {"", "identity", "compress", "gzip, br", "gzip,gzip", "snappy"})
        assert_null(Decoder::make(coding, 1).get());
    assert_non_null(Decoder::make("GZip", 1).get());
}

TEST(a_cut_off_answer_is_not_complete) {
    for (const char* coding : codings) {
        std::string bytes = coded(long_text(), coding);
        std::string got = decoded(std::string_view(bytes).substr(0, bytes.size() - 3), coding);
        assert_true(got.size() >= 3 && got.substr(got.size() - 3) == "...");
    }
}

TEST(no_input_is_complete_and_gives_no_text) {
    for (const char* coding : codings) {
        auto decoder = Decoder::make(coding, 4);
        std::string out;
        assert_true(decoder->feed("", out) && decoder->complete());
        assert_text_equal(out, "");
        decoder->feed(std::string_view(coded("page", coding)).substr(0, 1), out);
        assert_false(decoder->complete());
    }
}

TEST(nonsense_and_what_follows_the_end_are_refused) {
    for (const char* coding : {"gzip", "deflate", "zstd"})
        assert_text_equal(decoded("this is not coded at all", coding), "-");
    for (const char* coding : codings)
        assert_text_equal(decoded(coded("page", coding) + "more than that", coding), "-");
    assert_text_equal(decoded(coded("page", "gzip") + "m", "gzip"), "page...");  // it may begin another member
}

TEST(members_and_frames_one_after_another_are_one_text) {
    for (const char* coding : {"gzip", "zstd"}) {
        std::string bytes = coded("one ", coding) + coded("", coding) + coded(long_text(), coding) + coded("end", coding);
        for (std::size_t cut : {std::size_t{3}, std::size_t{1000}, bytes.size()})
            assert_text_equal(decoded(bytes, coding, cut), "one " + long_text() + "end");
        std::string got = decoded(std::string_view(bytes).substr(0, bytes.size() - 3), coding);
        assert_text_equal(got.substr(got.size() - 3), "...");  // the last one is cut off
    }
    assert_text_equal(decoded(coded("one", "deflate") + coded("two", "deflate"), "deflate"), "-");
    assert_text_equal(decoded(coded("one", "br") + coded("two", "br"), "br"), "-");
    std::string skippable("\x50\x2a\x4d\x18\x03\0\0\0abc", 11);  // RFC 8878 section 3.1.2
    assert_text_equal(decoded(coded("one", "zstd") + skippable + coded("two", "zstd"), "zstd"), "onetwo");
    std::string bomb;
    for (int i = 0; i < 100; i++) bomb += coded(std::string(1000, 'x'), "gzip");
    assert_text_equal(decoded(bomb, "gzip", 1u << 20, 50'000), "-");  // the bound is for the sum
}

TEST(zeros_may_follow_the_last_gzip_member) {
    std::string padded = coded("page", "gzip") + std::string(512, '\0');
    for (std::size_t cut : {std::size_t{1}, std::size_t{100}, padded.size()})
        assert_text_equal(decoded(padded, "gzip", cut), "page");
    assert_text_equal(decoded(padded + coded("more", "gzip"), "gzip"), "-");
    assert_text_equal(decoded(padded + "x", "gzip"), "-");
}

TEST(deflate_without_its_wrapper) {
    for (const std::string& text : {std::string(), std::string("a"), std::string("<p>page</p>\n"), long_text()}) {
        std::string raw = deflated(text, -15);
        for (std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{4096}, raw.size()}) {
            if (cut < 4096 && text.size() > 1000) continue;
            assert_text_equal(decoded(raw, "deflate", cut), text);
        }
        std::string stored = deflated(text, -15);  // and not a byte too many
        assert_text_equal(decoded(stored + "x", "deflate"), "-");
    }
}

TEST(a_piece_is_bounded_whatever_it_stands_for) {
    std::string zeros(4u << 20, '\0'), nothings;
    for (int i = 0; i < 5000; i++) nothings += coded("", "gzip");
    for (const char* coding : codings) {
        for (const std::string& bytes : {coded(zeros, coding), coding == std::string("gzip") ? nothings : coded("x", coding)}) {
            auto decoder = Decoder::make(coding, zeros.size());
            Decoder::Room room;
            std::string_view rest = bytes, piece;
            std::size_t before = rest.size();
            while (decoder->next(rest, room, piece) == Decoder::Made::text) {
                assert_true(piece.size() <= Decoder::piece_size && before - rest.size() <= 4096);
                before = rest.size();
            }
            assert_true(rest.empty() && decoder->complete());
        }
    }
}

TEST(a_bomb_ends_at_the_bound) {
    std::string zeros(8u << 20, '0');
    for (const char* coding : codings) {
        assert_text_equal(decoded(coded(zeros, coding), coding, 1u << 20, 1u << 20), "-");
        assert_true(decoded(coded(zeros, coding), coding, 1u << 20, zeros.size()) == zeros);
    }
}

TEST_MAIN("decoder")
