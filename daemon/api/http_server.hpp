// An HTTP/1.1 server for callers who may be hostile. One thread reads and writes all connections; another few run the
// handlers. One request a connection.
//
//   accept --> head --> [admit] --> body --> [handle] --> answer --> closing --> (closed)
//                          |                                ^
//                          +------ answered at once --------+
//
// What a connection may cost before anybody knows who it is: `head` bytes, `receive` time, and a place out of `connections`.
// The place goes to the next comer when they run out: the connection that has come least far, and of these the oldest, is closed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/api/message.hpp"

namespace larder::daemon {

class Listener;

struct HttpLimits {
    std::size_t head = 64 * 1024;               // bytes of the request line and the fields
    std::size_t body = 1 << 20;                 // bytes
    std::chrono::milliseconds receive{10'000};  // from the connection to the last byte of the request
    std::chrono::milliseconds send{10'000};     // for the answer to be taken
    std::size_t connections = 256;
    std::size_t per_peer = 64;  // of these, by one TCP address
    std::size_t threads = 8;    // for handlers
};

class HttpServer {
public:
    struct Handlers {
        // Called on the server's thread as soon as the head has been read; must not block. An answer ends the request, and
        // its body is not read.
        std::function<std::optional<ApiAnswer>(const ApiRequest& head)> admit;
        // Called on one of the other threads with the whole request.
        ApiHandler handle;
    };

    // Answers from now on. `listener` must outlive the server. Handlers may throw: 500.
    HttpServer(const Listener& listener, HttpLimits limits, Handlers handlers);
    // Answers the requests in hand, then returns.
    ~HttpServer();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace larder::daemon
