// Calls backends: many requests at once on one thread, with libcurl's multi interface.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <curl/curl.h>

#include "daemon/clock.hpp"
#include "daemon/pulse.hpp"
#include "daemon/render/request.hpp"

namespace larder::daemon {

struct BackendAnswer {
    std::string error;                                         // why there is no answer; empty: there is one
    bool unreachable = false;                                  // the error: nobody took the request
    bool no_answer = false;                                    // ... who did proved another, or spoke no HTTP
    std::uint16_t status = 0;                                  // of the final response
    std::vector<std::pair<std::string, std::string>> headers;  // field lines in order, values trimmed
    std::string body;
    UnixMs request_ms = 0;     // sent
    UnixMs response_ms = 0;    // header section received
    std::int64_t took_ms = 0;  // from request to the last byte
};

// Who renders.
class Backends {
public:
    using Done = std::function<void(BackendAnswer)>;

    virtual ~Backends() = default;
    // Starts a request. `done` is called once, on some thread: it must be quick and must not throw.
    virtual void call(BackendRequest request, Done done) = 0;
};

class BackendClient : public Backends {
public:
    BackendClient();
    // Ends requests that are under way with an error.
    ~BackendClient() override;

    void call(BackendRequest request, Done done) override;

    // Ends all requests under way, and those to come, with an error.
    void abort();

    // Its thread has turned its loop within this time; that takes a second at most.
    bool turns(std::chrono::milliseconds longest) const { return pulse_.within(longest); }

private:
    struct Transfer;
    struct FreeMulti {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };

    void loop();
    void start_waiting();
    void start(std::unique_ptr<Transfer> transfer);
    void finish(CURL* easy, CURLcode result);
    void fail_all();

    std::unique_ptr<CURLM, FreeMulti> multi_;
    std::map<CURL*, std::unique_ptr<Transfer>> running_;  // of the thread alone

    std::mutex mutex_;  // guards waiting_
    std::vector<std::unique_ptr<Transfer>> waiting_;
    std::atomic<bool> aborted_ = false;
    std::atomic<bool> ending_ = false;
    Pulse pulse_;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace larder::daemon
