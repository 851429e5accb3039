// The protocol of the job socket, which nginx speaks: RESP, without I/O. Bytes in, bytes out.
//
//   ENQUEUE KEY DELAY_MS URGENT JOB  ->  to_string(Enqueued) as a simple string: +new, +dup ... +full (queue.hpp)
//   PING                             ->  +PONG
//
// A request is an array of bulk strings. Bad arguments get an error reply. Other RESP types, or a request of more than 33
// KiB, get an error reply and end the conversation.
#pragma once

#include <hiredis.h>

#include <memory>
#include <string>
#include <string_view>

#include "daemon/queue/queue.hpp"

namespace larder::daemon {

class JobConversation {
public:
    explicit JobConversation(Queue& queue);

    // Parses the peer's next bytes and appends the replies to `out`. Returns false when the connection is to be closed
    // after `out` has been sent.
    bool feed(std::string_view bytes, std::string& out);

private:
    struct FreeReader {
        void operator()(redisReader* reader) const { redisReaderFree(reader); }
    };

    std::string answer(const struct JobRequest& request);

    Queue& queue_;
    std::unique_ptr<redisReader, FreeReader> reader_;
};

}  // namespace larder::daemon
