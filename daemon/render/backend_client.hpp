// HTTP client for nginx and the backends: many simultaneous requests on one thread, with libcurl's multi interface.
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
    bool unreachable = false;                                  // with an error: could not connect, so nobody got the request
    bool no_answer = false;                                    // with an error: failed TLS verification, or didn't speak HTTP
    std::uint16_t status = 0;                                  // of the final response
    std::vector<std::pair<std::string, std::string>> headers;  // field lines in order, values trimmed
    std::string body;
    UnixMs request_ms = 0;     // when the request was sent
    UnixMs response_ms = 0;    // when the last header line came
    std::int64_t took_ms = 0;  // from the request to the last byte of the answer
};

// Interface to whatever renders pages; tests replace it.
class Backends {
public:
    using Done = std::function<void(BackendAnswer)>;

    virtual ~Backends() = default;
    // Starts a request; doesn't wait. Calls `done` once, on any thread. `done` must not block or throw.
    virtual void call(BackendRequest request, Done done) = 0;
};

class BackendClient : public Backends {
public:
    BackendClient();
    // Fails the requests under way.
    ~BackendClient() override;

    void call(BackendRequest request, Done done) override;

    // Fails all requests under way, and all later ones.
    void abort();

    // Whether its thread has passed through its loop within `longest`. A healthy thread does so at least once a second.
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
    std::map<CURL*, std::unique_ptr<Transfer>> running_;  // used by the thread alone

    std::mutex mutex_;  // guards waiting_
    std::vector<std::unique_ptr<Transfer>> waiting_;
    std::atomic<bool> aborted_ = false;
    std::atomic<bool> ending_ = false;
    Pulse pulse_;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace larder::daemon
