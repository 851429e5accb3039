// Uses hiredis's reader for Redis, and our own for memcached.
#include "ngx_module/stores/link/wire.hpp"

#include <hiredis/hiredis.h>

#include <new>

#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/redis_reader.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t max_reply_bytes = 600u << 20;  // more than any valid entry has
constexpr std::size_t kept_buffer_bytes = 1u << 20;  // memory that a buffer keeps for the next large entry

class RedisWire final : public Wire {
public:
    RedisWire() : reader_(redisReaderCreate()) {
        if (reader_ == nullptr) throw std::bad_alloc();
        reader_->maxbuf = kept_buffer_bytes;
        bound_arrays(reader_);
    }
    ~RedisWire() override {
        freeReplyObject(reply_);
        redisReaderFree(reader_);
    }
    RedisWire(const RedisWire&) = delete;
    RedisWire& operator=(const RedisWire&) = delete;

    void feed(std::string_view bytes) override {
        if (reader_->len + bytes.size() > max_reply_bytes)
            broken_ = true;
        else
            broken_ = broken_ || redisReaderFeed(reader_, bytes.data(), bytes.size()) != REDIS_OK;
    }

    Next next(Reply& reply) override {
        freeReplyObject(reply_);
        reply_ = nullptr;
        void* raw = nullptr;
        if (broken_ || redisReaderGetReply(reader_, &raw) != REDIS_OK) return Next::broken;
        if (raw == nullptr) return Next::need_more;
        reply_ = static_cast<redisReply*>(raw);
        reply = Reply{};
        reply.tree = reply_;
        switch (reply_->type) {
            case REDIS_REPLY_STATUS:
                reply.kind = Reply::Kind::status;
                break;
            case REDIS_REPLY_ERROR:
                reply.kind = Reply::Kind::error;
                break;
            case REDIS_REPLY_INTEGER:
                reply.kind = Reply::Kind::integer;
                break;
            case REDIS_REPLY_STRING:
                reply.kind = Reply::Kind::bytes;
                break;
            case REDIS_REPLY_ARRAY:
                reply.kind = Reply::Kind::array;
                break;
            default:
                reply.kind = Reply::Kind::nil;
                break;
        }
        if (reply_->str != nullptr) reply.text = {reply_->str, static_cast<std::size_t>(reply_->len)};
        reply.integer = reply_->integer;
        return Next::reply;
    }

private:
    redisReader* reader_;
    redisReply* reply_ = nullptr;
    bool broken_ = false;
};

class MemcachedWire final : public Wire {
public:
    void feed(std::string_view bytes) override { reader_.feed(bytes); }

    Next next(Reply& reply) override {
        MemcachedReply got;
        switch (reader_.next(got)) {
            case MemcachedReader::Next::need_more:
                return Next::need_more;
            case MemcachedReader::Next::broken:
                return Next::broken;
            case MemcachedReader::Next::reply:
                break;
        }
        reply = Reply{};
        reply.text = got.text;
        switch (got.kind) {
            case MemcachedReply::Kind::value:
                reply.kind = Reply::Kind::bytes;
                break;
            case MemcachedReply::Kind::error:
                reply.kind = Reply::Kind::error;
                break;
            case MemcachedReply::Kind::done:
                reply.kind = Reply::Kind::status;
                break;
            default:
                reply.kind = Reply::Kind::nil;
                break;
        }
        return Next::reply;
    }

private:
    MemcachedReader reader_{max_reply_bytes};
};

}  // namespace

std::unique_ptr<Wire> make_wire(StoreKind kind) {
    if (kind == StoreKind::memcached) return std::make_unique<MemcachedWire>();
    return std::make_unique<RedisWire>();
}

}  // namespace larder::ngx
