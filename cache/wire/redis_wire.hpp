// Redis commands as bytes (RESP 2: arrays of bulk strings), and Lua scripts that are sent by their digest. No sockets.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

// A Lua script and its SHA-1 in hexadecimal digits, as EVALSHA wants it.
class RedisScript {
public:
    explicit RedisScript(std::string_view source);

    std::string_view source() const { return source_; }
    std::string_view digest() const { return digest_; }

private:
    std::string source_, digest_;
};

// Appends one command of so many words to `out`, word by word.
class RedisWriter {
public:
    RedisWriter(std::string& out, std::size_t words);

    RedisWriter& word(std::string_view text) { return word(text, {}); }
    // One word, given in two pieces.
    RedisWriter& word(std::string_view first, std::string_view second);
    RedisWriter& words(std::initializer_list<std::string_view> texts);

private:
    std::string& out_;
};

void redis_command(std::string& out, std::initializer_list<std::string_view> words);

// Commands that are sent together. The server may not know a script by its digest: then the batch is sent again in full, so
// its commands must bear repeating.
class RedisBatch {
public:
    // The caller adds so many words.
    RedisWriter command(std::size_t words);
    // The caller adds so many words: the keys, then the arguments. The script must outlive the batch.
    RedisWriter script(const RedisScript& script, std::size_t keys, std::size_t arguments);

    void command(std::initializer_list<std::string_view> words);

    unsigned size() const { return count_; }
    bool has_scripts() const { return !calls_.empty(); }
    const std::string& bytes() const { return bytes_; }
    // The same with EVAL in place of EVALSHA.
    std::string in_full() const;

private:
    struct Call {
        std::size_t name, numkeys;  // offsets in bytes_ of the words "EVALSHA" and numkeys
        const RedisScript* script;
    };

    std::string bytes_;
    unsigned count_ = 0;
    std::vector<Call> calls_;
};

}  // namespace larder
