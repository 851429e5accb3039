// Lengths are written without a temporary string: nginx makes a command for each lookup in a store.
#include "cache/wire/redis_wire.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <stdexcept>

namespace larder {

namespace {

void number_line(std::string& out, char type, std::size_t value) {
    char line[24];
    line[0] = type;
    char* end = std::to_chars(line + 1, line + sizeof line - 2, value).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(line, static_cast<std::size_t>(end - line));
}

void bulk(std::string& out, std::string_view first, std::string_view second) {
    number_line(out, '$', first.size() + second.size());
    out.append(first).append(second).append("\r\n", 2);
}

}  // namespace

RedisScript::RedisScript(std::string_view source) : source_(source) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(source_.data(), source_.size(), digest, &size, EVP_sha1(), nullptr) != 1)
        throw std::runtime_error("OpenSSL offers no SHA1");
    for (unsigned i = 0; i < size; i++) {
        digest_.push_back("0123456789abcdef"[digest[i] >> 4]);
        digest_.push_back("0123456789abcdef"[digest[i] & 15]);
    }
}

RedisWriter::RedisWriter(std::string& out, std::size_t words) : out_(out) {
    number_line(out_, '*', words);
}

RedisWriter& RedisWriter::word(std::string_view first, std::string_view second) {
    bulk(out_, first, second);
    return *this;
}

RedisWriter& RedisWriter::words(std::initializer_list<std::string_view> texts) {
    for (std::string_view text : texts) word(text);
    return *this;
}

void redis_command(std::string& out, std::initializer_list<std::string_view> words) {
    std::size_t size = 16;
    for (std::string_view word : words) size += word.size() + 16;
    out.reserve(out.size() + size);
    RedisWriter(out, words.size()).words(words);
}

RedisWriter RedisBatch::command(std::size_t words) {
    count_++;
    return {bytes_, words};
}

void RedisBatch::command(std::initializer_list<std::string_view> words) {
    count_++;
    redis_command(bytes_, words);
}

RedisWriter RedisBatch::script(const RedisScript& script, std::size_t keys, std::size_t arguments) {
    RedisWriter writer = command(3 + keys + arguments);
    const std::size_t name = bytes_.size();
    writer.words({"EVALSHA", script.digest()});
    calls_.push_back({name, bytes_.size(), &script});
    writer.word(std::to_string(keys));
    return writer;
}

std::string RedisBatch::in_full() const {
    std::string out;
    std::size_t at = 0;
    for (const Call& call : calls_) {
        out.append(bytes_, at, call.name - at);
        bulk(out, "EVAL", {});
        bulk(out, call.script->source(), {});
        at = call.numkeys;
    }
    return out.append(bytes_, at);
}

}  // namespace larder
