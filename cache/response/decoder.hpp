// Undoing a content coding, in pieces cut anywhere and within a bound: an answer that nobody asked to be compressed is kept, and
// searched for fragments, as what it is.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace larder {

class Decoder {
public:
    // For "gzip" (and "x-gzip"), "deflate", "br" or "zstd", in any case; null for any other coding, a list of several included.
    // Gives out at most `most` bytes in all.
    static std::unique_ptr<Decoder> make(std::string_view coding, std::size_t most);

    virtual ~Decoder() = default;

    enum class Made : unsigned char { text, nothing, bad };
    static constexpr std::size_t piece_size = 16384;
    struct Room {
        char bytes[piece_size];
    };
    // Decodes one piece of `coded`, and takes off what that was made from. text: `piece`, in `room`, which may be empty; call again.
    // nothing: more of it is wanted. bad: it is malformed, goes on after its end with what may not follow, or says too much; all is
    // over. A call takes a bounded time, however much `coded` stands for.
    Made next(std::string_view& coded, Room& room, std::string_view& piece);
    // All that `coded` says, appended to `out`. False: it is bad.
    bool feed(std::string_view coded, std::string& out);
    // Whether all of it was there. Nothing at all is whole, too: answers without a body may name a coding (RFC 9110 section 8.4).
    bool complete() const { return ended_ || !begun_; }

protected:
    explicit Decoder(std::size_t most) : left_(most) {}

    enum class State : unsigned char { more, full, ended, bad };  // full: call again with room
    // Takes from `coded`, writes into [at, at + room), and moves both.
    virtual State step(std::string_view& coded, char*& at, std::size_t& room) = 0;
    // There are more bytes after an end. False: nothing may follow. Else takes from `coded` what stands for nothing, and is ready
    // for what is left.
    virtual bool begin_again(std::string_view& /*coded*/) { return false; }

private:
    std::size_t left_;
    State state_ = State::more;
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace larder
