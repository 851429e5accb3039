// zlib, brotli and zstd behind one interface.
#include "cache/response/decoder.hpp"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "cache/response/fields.hpp"

namespace larder {

namespace {

class Inflater : public Decoder {
public:
    Inflater(std::size_t most, int window_bits) : Decoder(most) {
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() override { inflateEnd(&stream_); }

private:
    State step(std::string_view& coded, char*& at, std::size_t& room) override {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
        stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(coded.size(), 1u << 30));
        stream_.next_out = reinterpret_cast<Bytef*>(at);
        stream_.avail_out = static_cast<uInt>(room);
        int result = inflate(&stream_, Z_NO_FLUSH);
        coded =
            coded.substr(static_cast<std::size_t>(reinterpret_cast<char*>(stream_.next_in) - coded.data()));
        at = reinterpret_cast<char*>(stream_.next_out);
        room = stream_.avail_out;
        if (result == Z_STREAM_END) return State::ended;
        if (result != Z_OK && result != Z_BUF_ERROR) return State::bad;
        return room == 0 ? State::full : State::more;
    }

    z_stream stream_{};
};

class Unbrotli : public Decoder {
public:
    explicit Unbrotli(std::size_t most) : Decoder(most) {
        if (state_ == nullptr) throw std::bad_alloc();
    }
    ~Unbrotli() override { BrotliDecoderDestroyInstance(state_); }

private:
    State step(std::string_view& coded, char*& at, std::size_t& room) override {
        auto* from = reinterpret_cast<const std::uint8_t*>(coded.data());
        auto* to = reinterpret_cast<std::uint8_t*>(at);
        std::size_t left = coded.size();
        BrotliDecoderResult result = BrotliDecoderDecompressStream(state_, &left, &from, &room, &to, nullptr);
        coded = coded.substr(coded.size() - left);
        at = reinterpret_cast<char*>(to);
        switch (result) {
            case BROTLI_DECODER_RESULT_SUCCESS:
                return State::ended;
            case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
                return State::full;
            case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
                return State::more;
            default:
                return State::bad;
        }
    }

    BrotliDecoderState* state_ = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
};

class Unzstd : public Decoder {
public:
    explicit Unzstd(std::size_t most) : Decoder(most) {
        if (stream_ == nullptr) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 23);  // 8 MiB: RFC 9659 section 3
    }
    ~Unzstd() override { ZSTD_freeDStream(stream_); }

private:
    State step(std::string_view& coded, char*& at, std::size_t& room) override {
        ZSTD_inBuffer in{coded.data(), coded.size(), 0};
        ZSTD_outBuffer out{at, room, 0};
        std::size_t result = ZSTD_decompressStream(stream_, &out, &in);
        coded = coded.substr(in.pos);
        at += out.pos;
        room -= out.pos;
        if (ZSTD_isError(result)) return State::bad;
        if (result == 0) return State::ended;
        return room == 0 ? State::full : State::more;
    }

    ZSTD_DStream* stream_ = ZSTD_createDStream();
};

}  // namespace

std::unique_ptr<Decoder> Decoder::make(std::string_view coding, std::size_t most) {
    constexpr int gzip_window = 15 + 16, zlib_window = 15;
    if (equals_ignore_case(coding, "gzip") || equals_ignore_case(coding, "x-gzip"))
        return std::make_unique<Inflater>(most, gzip_window);
    if (equals_ignore_case(coding, "deflate")) return std::make_unique<Inflater>(most, zlib_window);
    if (equals_ignore_case(coding, "br")) return std::make_unique<Unbrotli>(most);
    if (equals_ignore_case(coding, "zstd")) return std::make_unique<Unzstd>(most);
    return nullptr;
}

bool Decoder::feed(std::string_view coded, const std::function<bool(std::string_view)>& take) {
    char piece[16384];
    State state = State::full;
    begun_ = begun_ || !coded.empty();
    while (state == State::full || (state == State::more && !coded.empty())) {
        if (ended_) return coded.empty();
        char* at = piece;
        std::size_t given =
            std::min(sizeof piece, left_ + 1);  // one more than allowed, to see whether it says more
        std::size_t room = given;
        state = step(coded, at, room);
        std::size_t made = given - room;
        if (state == State::bad || made > left_) return false;
        left_ -= made;
        ended_ = state == State::ended;
        if (made != 0 && !take({piece, made})) return false;
        if (made == 0 && !ended_ && coded.empty()) break;
    }
    return !ended_ || coded.empty();
}

bool Decoder::feed(std::string_view coded, std::string& out) {
    return feed(coded, [&out](std::string_view piece) {
        out.append(piece);
        return true;
    });
}

}  // namespace larder
