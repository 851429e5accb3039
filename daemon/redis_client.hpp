// A Redis client for several threads: pooled connections, time limits, scripts by their digest, back-off while Redis is gone.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis.h>

#include "settings/address.hpp"

namespace larder::daemon {

// Redis cannot be reached, stopped answering, or refused: whatever was asked may or may not have been done.
class RedisError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
};

// A reply: never an error reply, those are thrown.
class RedisReply {
public:
    explicit RedisReply(redisReply* reply) : reply_(reply) {}

    bool is_nil() const { return reply_->type == REDIS_REPLY_NIL; }
    std::int64_t integer() const { return reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0; }
    // Bytes of a string or status reply; empty for anything else.
    std::string_view text() const { return text_of(reply_.get()); }
    std::size_t size() const { return reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0; }
    std::string_view text(std::size_t index) const { return text_of(reply_->element[index]); }
    std::int64_t integer(std::size_t index) const { return reply_->element[index]->integer; }
    // The array that is element `index`, e.g. SCAN's second one.
    std::vector<std::string_view> texts(std::size_t index) const;

private:
    static std::string_view text_of(const redisReply* reply);

    std::unique_ptr<redisReply, FreeReply> reply_;
};

// A Lua script and its SHA-1, as EVALSHA wants it.
class RedisScript {
public:
    explicit RedisScript(const char* source);

    std::string_view source() const { return source_; }
    std::string_view sha() const { return sha_; }

private:
    std::string source_;
    std::string sha_;
};

class RedisClient {
public:
    using Arguments = std::span<const std::string_view>;

    // `timeout` bounds connecting, and each wait for a reply. Connects when first used.
    RedisClient(RedisAddress address, std::chrono::milliseconds timeout);

    // Sends one command. A connection that Redis has closed is replaced once, so commands must bear repeating. Throws RedisError.
    RedisReply command(Arguments arguments);
    RedisReply command(std::initializer_list<std::string_view> arguments) {
        return command(Arguments(arguments.begin(), arguments.size()));
    }
    RedisReply eval(const RedisScript& script, std::initializer_list<std::string_view> keys,
                    Arguments arguments);
    RedisReply eval(const RedisScript& script, std::initializer_list<std::string_view> keys,
                    std::initializer_list<std::string_view> arguments) {
        return eval(script, keys, Arguments(arguments.begin(), arguments.size()));
    }

    // "redis://host:port/db" without login, for messages.
    std::string name() const;

private:
    using Connection = std::unique_ptr<redisContext, FreeContext>;
    using Clock = std::chrono::steady_clock;

    Connection connect();
    Connection open();
    void give_back(Connection connection);
    void note_failure();

    const RedisAddress address_;
    const std::chrono::milliseconds timeout_;

    std::mutex mutex_;  // guards what follows
    std::vector<Connection> idle_;
    Clock::time_point closed_until_{};
    std::chrono::milliseconds backoff_{0};
};

}  // namespace larder::daemon
