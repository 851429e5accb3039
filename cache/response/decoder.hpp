// Decodes content codings piece by piece, with bounds. An answer that nobody asked to be compressed is stored and
// searched for ESI in its decoded form.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace larder {

class Decoder {
public:
    // A decoder for "gzip" ("x-gzip"), "deflate", "br" or "zstd", compared without case. Null for any other coding,
    // and for lists of several. It gives out at most `most` bytes in all.
    static std::unique_ptr<Decoder> make(std::string_view coding, std::size_t most);

    virtual ~Decoder() = default;

    enum class Made : unsigned char { text, nothing, bad };
    static constexpr std::size_t piece_size = 16384;
    struct Room {
        char bytes[piece_size];
    };
    // Decodes one piece of `coded`, and removes from it what was read. text: `piece` is the result, in `room`; it may
    // be empty; call again. nothing: more input is needed. bad: the input is malformed, has trailing bytes, or
    // decodes to more than `most`; don't call again. Each call takes bounded time, whatever the input.
    Made next(std::string_view& coded, Room& room, std::string_view& piece);
    // Decodes all of `coded` and appends the result to `out`. False: bad input.
    bool feed(std::string_view coded, std::string& out);
    // Whether the input ended at the end of its text. True for no input at all: answers without a body may have
    // Content-Encoding (RFC 9110 section 8.4).
    bool complete() const { return ended_ || !begun_; }

protected:
    explicit Decoder(std::size_t most) : left_(most) {}

    enum class State : unsigned char { more, full, ended, bad };  // full: call again with more room
    // Reads from `coded`, writes to [at, at + room), and advances all three.
    virtual State step(std::string_view& coded, char*& at, std::size_t& room) = 0;
    // Called when bytes follow a complete text. False: nothing may follow. True: padding was removed from `coded`,
    // and the decoder is ready for another text in the rest.
    virtual bool begin_again(std::string_view& /*coded*/) { return false; }

private:
    std::size_t left_;
    State state_ = State::more;
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace larder
