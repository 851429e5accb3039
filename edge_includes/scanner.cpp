// Searches candidate bytes first, then matches each token there.
#include "edge_includes/scanner.hpp"

#include <algorithm>
#include <cstring>

#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

constexpr std::size_t longest_interpolation = 1024;
constexpr unsigned most_parentheses =
    32;  // nested in one $(...); no valid expression has more, and giving up early keeps the time linear
constexpr std::size_t carry_step = 4096;
constexpr std::uint64_t candidate_cost = 8;  // in examined bytes, for matching all words at a candidate

enum class Start : std::uint8_t { no, partly, yes };

// Whether `rest` begins with `word` (lower-case), or is too short to tell.
Start starts(std::string_view rest, std::string_view word, bool any_case = false) {
    std::size_t common = std::min(rest.size(), word.size());
    for (std::size_t i = 0; i < common; ++i) {
        if ((any_case ? lower(rest[i]) : rest[i]) != word[i]) return Start::no;
    }
    return common == word.size() ? Start::yes : Start::partly;
}

// Whether c can follow the '<' of <esi: </esi: <!-- <script or </script.
bool may_follow(char c) {
    return c == 'e' || c == '/' || c == '!' || c == 's' || c == 'S';
}

std::uint32_t count_lines(std::string_view text) {
    std::uint32_t lines = 0;
    for (const char *at = text.data(), *end = at + text.size(); at < end; ++at, ++lines) {
        at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
        if (at == nullptr) break;
    }
    return lines;
}

}  // namespace

void Scanner::feed(std::string_view chunk) {
    while (!chunk.empty()) {
        if (carry_.empty()) {
            std::size_t used = scan(chunk, false);
            carry_.assign(chunk.substr(used));
            return;
        }
        std::string_view step = chunk.substr(0, carry_step);
        carry_.append(step);
        chunk.remove_prefix(step.size());
        carry_.erase(0, scan(carry_, false));
    }
}

void Scanner::finish() {
    scan(carry_, true);
    carry_.clear();
}

// Emits all complete tokens, and returns the number of bytes used. `last`: no more bytes will follow.
std::size_t Scanner::scan(std::string_view bytes, bool last) {
    std::size_t at = 0, text = 0;
    while ((at = find_candidate(bytes, at)) < bytes.size()) {
        examined_ += candidate_cost;
        Match found = match(bytes.substr(at), last);
        if (found.outcome == Match::Outcome::more) break;
        if (found.outcome == Match::Outcome::no) {
            ++at;
            continue;
        }
        emit(Token::Kind::text, bytes, text, at);
        emit(found.kind, bytes, at, at + found.length);
        at += found.length;
        text = at;
        progress_ = {};
    }
    emit(Token::Kind::text, bytes, text, at);
    base_ += at;
    return at;
}

void Scanner::emit(Token::Kind kind, std::string_view bytes, std::size_t from, std::size_t to) {
    if (from == to) return;
    std::string_view raw = bytes.substr(from, to - from);
    ++tokens_;
    sink_.token({kind, base_ + from, line_, raw});
    line_ += count_lines(raw);
}

// The next position where a token may begin. The byte after a '<' rules out most HTML tags.
std::size_t Scanner::find_candidate(std::string_view bytes, std::size_t from) {
    if (!sink_.wants_markup) return bytes.size();
    if (!sink_.wants_interpolation && !sink_.wants_end_comment) {
        while ((from = bytes.find('<', from)) < bytes.size()) {
            if (from + 1 == bytes.size() || may_follow(bytes[from + 1])) return from;
            ++from;
            ++examined_;
        }
        return bytes.size();
    }
    std::size_t begin = from;
    for (; from < bytes.size(); ++from) {
        char c = bytes[from];
        if (c == '<' || (c == '$' && sink_.wants_interpolation) || (c == '-' && sink_.wants_end_comment))
            break;
    }
    examined_ += from - begin;
    return from;
}

Scanner::Match Scanner::match(std::string_view rest, bool last) {
    if (rest[0] == '$') return match_interpolation(rest, last);
    if (rest[0] == '-') {
        Start end = starts(rest, "-->");
        if (end == Start::yes) return {Match::Outcome::yes, Token::Kind::end_comment, 3};
        return {end == Start::partly && !last ? Match::Outcome::more : Match::Outcome::no};
    }
    if (rest.size() > 1 && !may_follow(rest[1])) return {};
    Start open = starts(rest, "<esi:"), close = starts(rest, "</esi:");
    if (open == Start::yes) return match_tag(rest, Token::Kind::open, last);
    if (close == Start::yes) return match_tag(rest, Token::Kind::close, last);
    bool undecided = open == Start::partly || close == Start::partly;
    Match other = match_comment(rest, last);
    if (other.outcome == Match::Outcome::no) other = match_script(rest, last);
    if (other.outcome == Match::Outcome::no && undecided && !last) other.outcome = Match::Outcome::more;
    return other;
}

// Matches up to the first '>' outside quotes. Another ESI tag, or a '<' outside quotes, shows that the tag was not closed.
Scanner::Match Scanner::match_tag(std::string_view rest, Token::Kind kind, bool last) {
    std::size_t at = std::max<std::size_t>(progress_.scanned, 2);
    char quote = progress_.quote;
    for (; at < rest.size(); ++at) {
        char c = rest[at];
        ++examined_;
        if (at >= longest_tag_) return {Match::Outcome::yes, Token::Kind::broken, at};
        if (c == '<') {
            Start open = starts(rest.substr(at), "<esi:"), close = starts(rest.substr(at), "</esi:");
            if (quote == '\0' || open == Start::yes || close == Start::yes)
                return {Match::Outcome::yes, Token::Kind::broken, at};
            if ((open == Start::partly || close == Start::partly) && !last) break;
        } else if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            return {Match::Outcome::yes, kind, at + 1};
        }
    }
    if (last) return {Match::Outcome::yes, Token::Kind::broken, rest.size()};
    progress_ = {at, quote};
    return {Match::Outcome::more};
}

Scanner::Match Scanner::match_comment(std::string_view rest, bool last) const {
    Start esi = starts(rest, "<!--esi");
    if (esi == Start::yes) return {Match::Outcome::yes, Token::Kind::begin_esi, 7};
    if (esi == Start::partly && !last) return {Match::Outcome::more};
    // In a script, "<!--" doesn't begin a comment. "<!-->" and "<!--->" are complete comments.
    if (sink_.in_script || starts(rest, "<!--") != Start::yes) return {};
    for (std::string_view empty : {"<!-->", "<!--->"}) {
        Start whole = starts(rest, empty);
        if (whole == Start::yes) return {};
        if (whole == Start::partly && !last) return {Match::Outcome::more};
    }
    return {Match::Outcome::yes, Token::Kind::begin_comment, 4};
}

Scanner::Match Scanner::match_script(std::string_view rest, bool last) const {
    std::string_view word = sink_.in_script ? "</script" : "<script";
    Start script = starts(rest, word, true);
    if (script == Start::no) return {};
    if (script == Start::partly || rest.size() == word.size())
        return {last ? Match::Outcome::no : Match::Outcome::more};
    char after = rest[word.size()];
    if (!is_space(after) && after != '>' && after != '/') return {};
    return {Match::Outcome::yes, sink_.in_script ? Token::Kind::end_script : Token::Kind::begin_script,
            word.size()};
}

// $(...) or $name(...) up to the matching parenthesis.
Scanner::Match Scanner::match_interpolation(std::string_view rest, bool last) {
    std::size_t at = 1;
    while (at < rest.size() && at < 65 && is_name(rest[at])) ++at;
    if (at == rest.size()) return {last ? Match::Outcome::no : Match::Outcome::more};
    if (rest[at] != '(') return {};
    unsigned open = 0;
    char quote = '\0';
    for (; at < rest.size(); ++at) {
        char c = rest[at];
        ++examined_;
        if (at >= longest_interpolation || (c == '<' && quote == '\0')) return {};
        if (quote != '\0') {
            if (c == '\\') {
                ++at;
            } else if (c == quote) {
                quote = '\0';
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '(') {
            if (++open > most_parentheses) return {};
        } else if (c == ')' && --open == 0) {
            return {Match::Outcome::yes, Token::Kind::interpolation, at + 1};
        }
    }
    return {last ? Match::Outcome::no : Match::Outcome::more};
}

}  // namespace larder::esi
