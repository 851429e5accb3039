// An HTTP/1.1 server for clients that may be hostile. One thread does the I/O of all connections; a thread pool runs the
// handlers. Each connection carries one request.
//
//   accept --> head --> [admit] --> body --> [handle] --> answer --> closing --> (closed)
//                          |                                ^
//                          +------ answered at once --------+
//
// An unauthenticated client can use at most `head` bytes, `receive` time, and one of `connections` places. When the places
// run out, a new connection replaces the one that has made the least progress, and of these the oldest.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/api/message.hpp"

namespace larder::daemon {

class Listener;

struct HttpLimits {
    std::size_t head = 64 * 1024;               // bytes of the request line and the header fields
    std::size_t body = 1 << 20;                 // bytes
    std::chrono::milliseconds receive{10'000};  // from accept to the last byte of the request
    std::chrono::milliseconds send{10'000};     // for the client to read the answer
    std::size_t connections = 256;
    std::size_t per_peer = 64;  // connections from one IP address; unix sockets have no such limit
    std::size_t threads = 8;    // that run `handle`
};

class HttpServer {
public:
    struct Handlers {
        // Called on the server's thread when the header section has been read; must not block. If it returns an answer,
        // that is sent and the body is not read.
        std::function<std::optional<ApiAnswer>(const ApiRequest& head)> admit;
        // Called on a thread of the pool with the whole request; may block.
        ApiHandler handle;
    };

    // Starts to serve. `listener` must outlive the server. A handler that throws makes the answer a 500.
    HttpServer(const Listener& listener, HttpLimits limits, Handlers handlers);
    // Stops accepting, answers the requests that are being handled, and returns when all connections are closed.
    ~HttpServer();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace larder::daemon
