// The scanner: bytes, in chunks cut anywhere, become text and tags. It knows where markup ends, not what it
// means. Internal.
//
// Time is linear in the document whatever it holds: a tag that turns out broken is passed over, not scanned
// again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder::esi {

struct Token {
    enum class Kind : std::uint8_t {
        text,
        open,           // <esi:name ...> or <esi:name .../>
        close,          // </esi:name>
        interpolation,  // $(...) or $name(...), with balanced parentheses; only asked for
        begin_esi,      // <!--esi
        begin_comment,  // <!-- of an ordinary comment, outside scripts
        end_comment,    // -->; only asked for
        begin_script,   // <script
        end_script,     // </script
        broken,         // <esi: or </esi: that never ends
    };
    Kind kind;
    std::uint64_t offset;  // in the document
    std::uint32_t line;    // from 1, where the token begins
    std::string_view raw;  // valid during the call
};

// Receives tokens in document order, which together are the whole document. What it wants is read anew after
// each token.
class TokenSink {
public:
    virtual ~TokenSink() = default;
    virtual void token(const Token& token) = 0;

    bool wants_markup = true;  // false: all that follows is text
    bool wants_interpolation = false;
    bool wants_end_comment = false;
    bool in_script = false;
};

class Scanner {
public:
    Scanner(TokenSink& sink, std::size_t longest_tag) : sink_(sink), longest_tag_(longest_tag) {}

    void feed(std::string_view chunk);
    void finish();

    // How many tokens there were, and how many bytes were looked at one by one to find them: what a document costs.
    std::uint64_t tokens() const { return tokens_; }
    std::uint64_t examined() const { return examined_; }

private:
    // What stands at the beginning of `rest`.
    struct Match {
        enum class Outcome : std::uint8_t { no, more, yes };
        Outcome outcome = Outcome::no;
        Token::Kind kind = Token::Kind::text;
        std::size_t length = 0;
    };
    struct TagProgress {  // how far an unfinished tag has been scanned: chunks may be single bytes
        std::size_t scanned = 0;
        char quote = '\0';
    };

    std::size_t scan(std::string_view bytes, bool last);
    std::size_t find_candidate(std::string_view bytes, std::size_t from);
    Match match(std::string_view rest, bool last);
    Match match_tag(std::string_view rest, Token::Kind kind, bool last);
    Match match_comment(std::string_view rest, bool last) const;
    Match match_script(std::string_view rest, bool last) const;
    Match match_interpolation(std::string_view rest, bool last);
    void emit(Token::Kind kind, std::string_view bytes, std::size_t from, std::size_t to);

    TokenSink& sink_;
    std::size_t longest_tag_;
    std::string carry_;       // the beginning of what the next chunk must complete
    std::uint64_t base_ = 0;  // document offset of the first byte not yet handed on
    std::uint32_t line_ = 1;  // there
    TagProgress progress_;
    std::uint64_t tokens_ = 0;
    std::uint64_t examined_ = 0;
};

}  // namespace larder::esi
