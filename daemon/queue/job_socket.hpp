// The unix socket through which nginx enqueues jobs into the queue in memory. One thread serves all connections with poll(2);
// job_protocol.hpp has the protocol.
#pragma once

#include <atomic>
#include <map>
#include <thread>

#include "daemon/queue/job_protocol.hpp"
#include "daemon/listener.hpp"

namespace larder::daemon {

class JobSocket {
public:
    // Throws std::runtime_error when it can't listen.
    JobSocket(const std::string& path, const std::string& mode, Queue& queue);
    ~JobSocket();

private:
    struct Peer {
        explicit Peer(Queue& queue) : conversation(queue) {}

        JobConversation conversation;
        std::string out;
        bool leaving = false;
    };

    void loop();
    void welcome();
    bool read_from(int fd, Peer& peer);
    bool write_to(int fd, Peer& peer);

    Queue& queue_;
    Listener listener_;
    int wake_[2];  // a pipe; closing its write end makes loop() return
    std::map<int, Peer> peers_;
    bool rests_ = false;  // no connection could be accepted for lack of file descriptors or memory: wait a little
    std::thread thread_;  // last: it uses all the others
};

}  // namespace larder::daemon
