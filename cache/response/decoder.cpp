// Wraps zlib, brotli and zstd in one interface.
#include "cache/response/decoder.hpp"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "cache/response/fields.hpp"

namespace larder {

namespace {

constexpr int gzip_window = 15 + 16, zlib_window = 15, raw_window = -15;

class Inflater : public Decoder {
public:
    Inflater(std::size_t most, int window_bits) : Decoder(most) {
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() override { inflateEnd(&stream_); }

protected:
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

// gzip members that follow each other make one text (RFC 1952 section 2.2). Zero bytes may follow the last one, as
// gzip itself accepts: they pad a block of a tape or disk.
class Gunzip : public Inflater {
public:
    explicit Gunzip(std::size_t most) : Inflater(most, gzip_window) {}

private:
    bool begin_again(std::string_view& coded) override {
        auto zeros = std::min(coded.find_first_not_of('\0'), coded.size());
        padded_ = padded_ || zeros != 0;
        coded.remove_prefix(zeros);
        if (coded.empty()) return true;
        return !padded_ && inflateReset(&stream_) == Z_OK;
    }

    bool padded_ = false;
};

// zlib format, as RFC 9110 section 8.4.1.2 requires, or raw deflate data, as many servers send.
class Undeflate : public Inflater {
public:
    explicit Undeflate(std::size_t most) : Inflater(most, zlib_window) {}

private:
    State step(std::string_view& coded, char*& at, std::size_t& room) override {
        if (head_size_ < sizeof head_) {
            while (head_size_ < sizeof head_ && !coded.empty()) {
                head_[head_size_++] = static_cast<unsigned char>(coded.front());
                coded.remove_prefix(1);
            }
            if (head_size_ < sizeof head_) return State::more;
            if (!is_zlib_head() && inflateReset2(&stream_, raw_window) != Z_OK) return State::bad;
            std::string_view head(reinterpret_cast<const char*>(head_), sizeof head_);
            State state = Inflater::step(head, at, room);
            if (state != State::more) return state;
        }
        return Inflater::step(coded, at, room);
    }

    // See RFC 1950 section 2.2. Raw deflate data does not begin like this: it would be a stored block with a reserved
    // bit set.
    bool is_zlib_head() const {
        constexpr unsigned deflate_method = 8, largest_window = 7;
        return (head_[0] & 0x0f) == deflate_method && (head_[0] >> 4) <= largest_window &&
               (head_[0] * 256 + head_[1]) % 31 == 0;
    }

    unsigned char head_[2]{};
    std::size_t head_size_ = 0;
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
        ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 23);  // a window of 8 MiB, see RFC 9659 section 3
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

    // Frames that follow each other make one text (RFC 8878 section 3). The stream is ready for the next.
    bool begin_again(std::string_view&) override { return true; }

    ZSTD_DStream* stream_ = ZSTD_createDStream();
};

}  // namespace

std::unique_ptr<Decoder> Decoder::make(std::string_view coding, std::size_t most) {
    if (equals_ignore_case(coding, "gzip") || equals_ignore_case(coding, "x-gzip"))
        return std::make_unique<Gunzip>(most);
    if (equals_ignore_case(coding, "deflate")) return std::make_unique<Undeflate>(most);
    if (equals_ignore_case(coding, "br")) return std::make_unique<Unbrotli>(most);
    if (equals_ignore_case(coding, "zstd")) return std::make_unique<Unzstd>(most);
    return nullptr;
}

Decoder::Made Decoder::next(std::string_view& coded, Room& room, std::string_view& piece) {
    // Bounds the input of a call as well, as some inputs decode to little.
    constexpr std::size_t most_coded = 4096;
    piece = {};
    begun_ = begun_ || !coded.empty();
    if (state_ != State::full && coded.empty()) return Made::nothing;
    if (ended_) {
        if (!begin_again(coded)) return Made::bad;
        if (coded.empty()) return Made::nothing;
    }
    std::string_view some = coded.substr(0, most_coded);
    const std::size_t given = some.size();
    char* at = room.bytes;
    std::size_t left = std::min(sizeof room.bytes, left_ + 1);  // one byte more than allowed, to notice an excess
    const std::size_t most = left;
    state_ = step(some, at, left);
    coded.remove_prefix(given - some.size());
    std::size_t made = most - left;
    if (state_ == State::bad || made > left_) return Made::bad;
    left_ -= made;
    ended_ = state_ == State::ended;
    piece = {room.bytes, made};
    return Made::text;
}

bool Decoder::feed(std::string_view coded, std::string& out) {
    Room room;
    std::string_view piece;
    for (;;) {
        Made made = next(coded, room, piece);
        if (made != Made::text) return made == Made::nothing;
        out.append(piece);
    }
}

}  // namespace larder
