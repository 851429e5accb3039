// Splits a document, which may come in chunks of any size, into text and markup. It finds where markup begins and ends,
// without knowing its meaning. Internal to the engine.
//
// The running time is linear in any document, because the bytes of a broken tag are not scanned again.
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
        interpolation,  // $(...) or $name(...), with balanced parentheses; only if wants_interpolation
        begin_esi,      // <!--esi
        begin_comment,  // <!-- of an ordinary comment, outside scripts
        end_comment,    // -->; only if wants_end_comment
        begin_script,   // <script
        end_script,     // </script
        broken,         // an <esi: or </esi: tag without its end
    };
    Kind kind;
    std::uint64_t offset;  // in the document
    std::uint32_t line;    // from 1, where the token begins
    std::string_view raw;  // its bytes; valid during the call
};

// Receives the tokens in order; together they are the whole document. The scanner reads the members anew after each token.
class TokenSink {
public:
    virtual ~TokenSink() = default;
    virtual void token(const Token& token) = 0;

    bool wants_markup = true;  // false: treat the rest as text
    bool wants_interpolation = false;
    bool wants_end_comment = false;
    bool in_script = false;
};

class Scanner {
public:
    Scanner(TokenSink& sink, std::size_t longest_tag) : sink_(sink), longest_tag_(longest_tag) {}

    void feed(std::string_view chunk);
    void finish();

    // The number of tokens so far, and of bytes that were examined one by one. They measure the work of compiling.
    std::uint64_t tokens() const { return tokens_; }
    std::uint64_t examined() const { return examined_; }

private:
    // Whether a token begins at the beginning of the bytes; `more`: that depends on the next chunk.
    struct Match {
        enum class Outcome : std::uint8_t { no, more, yes };
        Outcome outcome = Outcome::no;
        Token::Kind kind = Token::Kind::text;
        std::size_t length = 0;
    };
    struct TagProgress {  // how far an unfinished tag has been scanned, so that single-byte chunks don't take quadratic time
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
    std::string carry_;       // bytes of an unfinished token
    std::uint64_t base_ = 0;  // document offset of the first byte that was not emitted yet
    std::uint32_t line_ = 1;  // its line
    TagProgress progress_;
    std::uint64_t tokens_ = 0;
    std::uint64_t examined_ = 0;
};

}  // namespace larder::esi
