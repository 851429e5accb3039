// A thread-safe Redis client over hiredis: pooled connections, timeouts, EVALSHA, back-off while Redis is down.
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

#include "cache/wire/redis_wire.hpp"
#include "settings/address.hpp"

namespace larder::daemon {

// Redis can't be reached, didn't answer in time, or answered with an error. The command may have been executed nevertheless.
class RedisError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The server wants the script in full.
class UnknownScript : public RedisError {
public:
    using RedisError::RedisError;
};

struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
};

// Owns a reply of any type but error: error replies are thrown as RedisError. What is missing, or of another type, reads as empty or 0.
class RedisReply {
public:
    explicit RedisReply(redisReply* reply) : reply_(reply) {}

    bool is_nil() const { return reply_->type == REDIS_REPLY_NIL; }
    std::int64_t integer() const { return reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0; }
    // The bytes of a string or status reply, valid as long as the reply; empty for other types.
    std::string_view text() const { return text_of(reply_.get()); }
    std::size_t size() const { return reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0; }
    std::string_view text(std::size_t index) const { return text_of(element(index)); }
    std::int64_t integer(std::size_t index) const {
        const redisReply* one = element(index);
        return one != nullptr && one->type == REDIS_REPLY_INTEGER ? one->integer : 0;
    }
    // Element `index`, itself an array of strings, as in a reply to SCAN; empty if it is not an array.
    std::vector<std::string_view> texts(std::size_t index) const;

private:
    const redisReply* element(std::size_t index) const { return index < size() ? reply_->element[index] : nullptr; }
    static std::string_view text_of(const redisReply* reply);

    std::unique_ptr<redisReply, FreeReply> reply_;
};

class RedisClient {
public:
    using Arguments = std::span<const std::string_view>;

    // Connects when first used. `timeout` applies to connecting and to each wait for a reply.
    RedisClient(RedisAddress address, std::chrono::milliseconds timeout);

    // Sends one command and waits for its reply. If Redis has closed the pooled connection, connects anew and sends it
    // once more: so executing the command twice must be harmless. Throws RedisError.
    RedisReply command(Arguments arguments);
    RedisReply command(std::initializer_list<std::string_view> arguments) {
        return command(Arguments(arguments.begin(), arguments.size()));
    }
    // Sends all of the batch at once, and once more in full if Redis does not know one of its scripts. Returns the reply of the last
    // command; throws RedisError for the first that was refused. Otherwise as command().
    RedisReply run(const RedisBatch& batch);
    // Runs the script by EVALSHA, or by EVAL if the server doesn't know it yet. Otherwise as command().
    RedisReply eval(const RedisScript& script, std::initializer_list<std::string_view> keys,
                    Arguments arguments);
    RedisReply eval(const RedisScript& script, std::initializer_list<std::string_view> keys,
                    std::initializer_list<std::string_view> arguments) {
        return eval(script, keys, Arguments(arguments.begin(), arguments.size()));
    }

    // "redis://HOST:PORT/DATABASE" or the socket's path, without user and password, for log messages.
    std::string name() const;

private:
    using Connection = std::unique_ptr<redisContext, FreeContext>;
    using Clock = std::chrono::steady_clock;

    template <typename Send>
    RedisReply exchange(Send send);
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
