// Parses the replies of a store, whatever its protocol. No I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "ngx_module/directives/config.hpp"

struct redisReply;

namespace larder::ngx {

struct Reply {
    enum class Kind : std::uint8_t { status, error, integer, nil, bytes, array };
    Kind kind = Kind::nil;
    std::string_view text;  // of status, error, bytes; valid during the call
    long long integer = 0;
    const redisReply* tree = nullptr;  // of array (Redis)
};

// Called with the reply, or with null if the link failed.
using ReplyHandler = std::function<void(const Reply*)>;

// A parser for one protocol.
class Wire {
public:
    virtual ~Wire() = default;
    virtual void feed(std::string_view bytes) = 0;
    enum class Next : std::uint8_t { reply, need_more, broken };
    virtual Next next(Reply& reply) = 0;
};

std::unique_ptr<Wire> make_wire(StoreKind kind);

inline void ignore_reply(const Reply*) {}

// Given to the handler instead of the reply if the server did not know one of the scripts by its digest.
inline constexpr Reply unknown_script{Reply::Kind::error, "NOSCRIPT"};

}  // namespace larder::ngx
