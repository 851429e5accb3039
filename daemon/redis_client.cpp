// The Redis client over hiredis' blocking connections.
#include "redis_client.hpp"

#include <sys/time.h>

#include <algorithm>

#include "cache/wire/redis_reader.hpp"
#include "cache/wire/refusals.hpp"

namespace larder::daemon {

namespace {

constexpr std::chrono::milliseconds first_backoff{50};
constexpr std::chrono::milliseconds longest_backoff{
    1000};  // a Redis that has come back is used again within a second

timeval to_timeval(std::chrono::milliseconds time) {
    return {time.count() / 1000, static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

using OwnedReply = std::unique_ptr<redisReply, FreeReply>;

OwnedReply send_command(redisContext* connection, RedisClient::Arguments arguments) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (std::string_view argument : arguments) {
        texts.push_back(argument.data() == nullptr ? "" : argument.data());
        sizes.push_back(argument.size());
    }
    return OwnedReply(static_cast<redisReply*>(
        redisCommandArgv(connection, static_cast<int>(texts.size()), texts.data(), sizes.data())));
}

// Sends `count` commands in one go. Returns the first error, or the reply of the last; null if the connection fails.
OwnedReply send_commands(redisContext* connection, const std::string& bytes, unsigned count) {
    if (redisAppendFormattedCommand(connection, bytes.data(), bytes.size()) != REDIS_OK) return nullptr;
    OwnedReply answer;
    for (unsigned i = 0; i < count; i++) {
        void* raw = nullptr;
        if (redisGetReply(connection, &raw) != REDIS_OK) return nullptr;
        OwnedReply reply(static_cast<redisReply*>(raw));
        if (answer == nullptr || answer->type != REDIS_REPLY_ERROR) answer = std::move(reply);
    }
    return answer;
}

// The server has closed the connection. A timeout is different: the command may still be running, so it must not be sent
// again.
bool was_closed(const redisContext* connection) {
    return connection->err == REDIS_ERR_EOF ||
           (connection->err == REDIS_ERR_IO && errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

std::string_view RedisReply::text_of(const redisReply* reply) {
    if (reply == nullptr || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)) return {};
    return {reply->str, static_cast<std::size_t>(reply->len)};
}

std::vector<std::string_view> RedisReply::texts(std::size_t index) const {
    const redisReply* array = element(index);
    std::vector<std::string_view> out;
    if (array == nullptr || array->type != REDIS_REPLY_ARRAY) return out;
    for (std::size_t i = 0; i < array->elements; i++) out.push_back(text_of(array->element[i]));
    return out;
}

RedisClient::RedisClient(RedisAddress address, std::chrono::milliseconds timeout)
    : address_(std::move(address)), timeout_(timeout) {}

std::string RedisClient::name() const {
    return address_.at.is_unix() ? address_.at.text()
                                 : "redis://" + address_.at.text() + "/" + std::to_string(address_.database);
}

RedisClient::Connection RedisClient::connect() {
    {
        std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            Connection connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
        if (Clock::now() < closed_until_)
            throw RedisError(name() + " is away; waiting before the next attempt");
    }
    return open();
}

RedisClient::Connection RedisClient::open() {
    timeval limit = to_timeval(timeout_);
    Connection connection(address_.at.is_unix() ? redisConnectUnixWithTimeout(address_.at.path.c_str(), limit)
                                                : redisConnectWithTimeout(address_.at.tcp.host.c_str(),
                                                                          address_.at.tcp.port, limit));
    auto fail = [&](const std::string& why) -> RedisError {
        note_failure();
        return RedisError(name() + ": " + why);
    };
    if (!connection) throw fail("out of memory");
    if (connection->err != 0) throw fail(connection->errstr);
    redisSetTimeout(connection.get(), limit);
    bound_arrays(connection->reader);
    std::vector<std::vector<std::string>> greetings;
    if (!address_.user.empty()) greetings.push_back({"AUTH", address_.user, address_.password});
    if (address_.user.empty() && !address_.password.empty()) greetings.push_back({"AUTH", address_.password});
    if (address_.database != 0) greetings.push_back({"SELECT", std::to_string(address_.database)});
    for (const auto& greeting : greetings) {
        std::vector<std::string_view> arguments(greeting.begin(), greeting.end());
        OwnedReply reply = send_command(connection.get(), arguments);
        if (!reply) throw fail(connection->errstr);
        if (reply->type == REDIS_REPLY_ERROR) throw fail(greeting[0] + " was refused: " + reply->str);
    }
    return connection;
}

void RedisClient::note_failure() {
    std::lock_guard lock(mutex_);
    idle_.clear();
    backoff_ = std::clamp(backoff_ * 2, first_backoff, longest_backoff);
    closed_until_ = Clock::now() + backoff_;
}

void RedisClient::give_back(Connection connection) {
    std::lock_guard lock(mutex_);
    backoff_ = std::chrono::milliseconds(0);
    idle_.push_back(std::move(connection));
}

template <typename Send>
RedisReply RedisClient::exchange(Send send) {
    Connection connection = connect();
    OwnedReply reply = send(connection.get());
    if (!reply && was_closed(connection.get())) {
        {
            std::lock_guard lock(mutex_);
            idle_.clear();  // a restarted server has closed these as well
        }
        connection = open();
        reply = send(connection.get());
    }
    if (!reply) {
        std::string why = connection->errstr;
        note_failure();
        throw RedisError(name() + ": " + why);
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        std::string error(reply->str, static_cast<std::size_t>(reply->len));
        const Refusal refusal = redis_refusal(error);
        if (refusal == Refusal::connection) {
            note_failure();  // also closes the idle connections; the next connection resolves the host name again
        } else {
            give_back(std::move(connection));
        }
        if (refusal == Refusal::script) throw UnknownScript(name() + ": " + error);
        throw RedisError(name() + ": " + error);
    }
    give_back(std::move(connection));
    return RedisReply(reply.release());
}

RedisReply RedisClient::command(Arguments arguments) {
    return exchange([arguments](redisContext* connection) { return send_command(connection, arguments); });
}

RedisReply RedisClient::run(const RedisBatch& batch) {
    auto send = [this, &batch](const std::string& bytes) {
        return exchange([&](redisContext* connection) { return send_commands(connection, bytes, batch.size()); });
    };
    try {
        return send(batch.bytes());
    } catch (const UnknownScript&) {
        return send(batch.in_full());
    }
}

RedisReply RedisClient::eval(const RedisScript& script, std::initializer_list<std::string_view> keys,
                             Arguments arguments) {
    RedisBatch batch;
    RedisWriter writer = batch.script(script, keys.size(), arguments.size());
    for (std::string_view key : keys) writer.word(key);
    for (std::string_view argument : arguments) writer.word(argument);
    return run(batch);
}

}  // namespace larder::daemon
