// What nginx says on the job socket: RESP requests, a queue's answers. Bytes in, bytes out, no socket.
//
//   ENQUEUE KEY DELAY_MS URGENT JOB  ->  +new +dup +raised +running +dirty +refused +nodaemon, as Redis's enqueue script; +full: no room
//   PING                             ->  +PONG
// A request is an array of bulk strings. Anything else, or more than max_request_bytes, ends the conversation.
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

    // Takes the peer's next bytes and appends the answers to `out`. False: say goodbye once `out` is written.
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
