// Hostile clients of the API's HTTP server: what each of them can use up, and that others are served meanwhile.
#include "daemon/api/http_server.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <future>

#include "daemon/listener.hpp"
#include "tests/cmocka.hpp"

using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {

// The server under test, on a unix socket or on a free TCP port.
class Served {
public:
    explicit Served(HttpLimits limits, bool tcp = false)
        : directory_(make_directory()),
          endpoint_(tcp ? Endpoint{{"127.0.0.1", 0}, {}} : Endpoint{{}, directory_ + "/s"}),
          listener_(endpoint_, "0600"),
          server_(listener_, limits, {admit, handle}) {}
    ~Served() { unlink_all(); }

    const Listener& listener() const { return listener_; }

private:
    static std::optional<ApiAnswer> admit(const ApiRequest& head) {
        if (head.path == "/refused") return api_error(401, "no");
        return std::nullopt;
    }
    static ApiAnswer handle(const ApiRequest& request) {
        if (request.path == "/throws") throw std::runtime_error("oh");
        return {200, request.method + " " + request.path + " " + request.query + " " + request.body,
                "text/plain"};
    }
    static std::string make_directory() {
        char name[] = "/tmp/larder-http-XXXXXX";
        if (mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
        return name;
    }
    void unlink_all() {
        unlink((directory_ + "/s").c_str());
        rmdir(directory_.c_str());
    }

    std::string directory_;
    Endpoint endpoint_;
    Listener listener_;
    HttpServer server_;
};

class Caller {
public:
    explicit Caller(const Served& served) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getsockname(served.listener().fd(), reinterpret_cast<sockaddr*>(&address), &size);
        fd_ = socket(address.ss_family, SOCK_STREAM, 0);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0)
            throw std::runtime_error("connect");
    }
    ~Caller() { close(fd_); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    // Returns false if the server has closed the connection or doesn't read any more.
    bool send(const std::string& bytes) {
        for (std::size_t sent = 0; sent < bytes.size();) {
            pollfd writable{fd_, POLLOUT, 0};
            if (poll(&writable, 1, 10'000) != 1) return false;
            ssize_t one = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (one < 0 && errno != EAGAIN) return false;
            sent += static_cast<std::size_t>(std::max<ssize_t>(one, 0));
        }
        return true;
    }
    // Reads until the server closes the connection.
    std::string rest() {
        std::string out;
        char bytes[4096];
        for (ssize_t got = 0; (got = recv(fd_, bytes, sizeof bytes, 0)) > 0;)
            out.append(bytes, static_cast<std::size_t>(got));
        return out;
    }
    std::string ask(const std::string& bytes) {
        send(bytes);
        return rest();
    }
    bool is_closed() {
        char byte = 0;
        return recv(fd_, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EINTR);
    }

private:
    int fd_;
};

std::string line(const std::string& answer) {
    return answer.substr(0, answer.find('\r'));
}
std::string body(const std::string& answer) {
    return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

HttpLimits small() {
    HttpLimits limits;
    limits.head = 4096;
    limits.body = 10'000;
    limits.threads = 2;
    return limits;
}

}  // namespace

TEST(requests_reach_their_handler) {
    for (bool tcp : {false, true}) {
        Served served(small(), tcp);
        std::string answer = Caller(served).ask("GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_text_equal(line(answer), "HTTP/1.1 200 OK");
        assert_text_equal(body(answer), "GET /x y=1 ");
        assert_true(answer.find("\r\nConnection: close\r\n") != std::string::npos);
    }
    Served served(small());
    assert_text_equal(body(Caller(served).ask("GET / HTTP/1.0\r\n\r\n")), "GET /  ");
    assert_text_equal(body(Caller(served).ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")),
                      "POST /  hi");
    assert_text_equal(
        body(Caller(served).ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "1;x=y\r\nh\r\n1\r\ni\r\n0\r\nTrailer: t\r\n\r\n")),
        "POST /  hi");
    std::string head = Caller(served).ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_text_equal(body(head), "");
    assert_true(head.find("\r\nContent-Length: 8\r\n") != std::string::npos);
    assert_text_equal(line(Caller(served).ask("GET /throws HTTP/1.1\r\nHost: a\r\n\r\n")),
                      "HTTP/1.1 500 Internal Server Error");
}

TEST(a_body_that_is_announced_is_asked_for) {
    Served served(small());
    std::string answer = Caller(served).ask(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_text_equal(line(answer), "HTTP/1.1 100 Continue");
    assert_text_equal(body(body(answer)), "POST /  hi");
}

TEST(heads_without_end_are_cut_off) {
    Served served(small());
    const std::string field = "X-Field: " + std::string(500, 'a') + "\r\n";
    for (const std::string& more : {field, std::string(500, 'a'), std::string("\t"), std::string("X:\r\n")}) {
        Caller caller(served);
        caller.send("GET / HTTP/1.1\r\nX: ");
        for (std::size_t sent = 0; sent < 10'000; sent += more.size()) caller.send(more);
        assert_text_equal(line(caller.rest()), "HTTP/1.1 431 Request Header Fields Too Large");
    }
    Caller caller(served);
    caller.send("GET /" + std::string(10'000, 'a'));
    assert_text_equal(line(caller.rest()), "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST(bodies_past_the_limit_are_refused_however_they_come) {
    Served served(small());
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    assert_text_equal(line(Caller(served).ask(post + "Content-Length: 10001\r\n\r\n")),
                      "HTTP/1.1 413 Payload Too Large");
    Caller chunked(served);
    chunked.send(post + "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) chunked.send("400\r\n" + std::string(0x400, 'x') + "\r\n");
    assert_text_equal(line(chunked.rest()), "HTTP/1.1 413 Payload Too Large");
    Caller trailers(served);
    trailers.send(post + "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 20; i++) trailers.send("X: " + std::string(500, 'a') + "\r\n");
    assert_text_equal(line(trailers.rest()), "HTTP/1.1 431 Request Header Fields Too Large");
    assert_text_equal(line(Caller(served).ask(post + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")),
                      "HTTP/1.1 415 Unsupported Media Type");
}

TEST(a_caller_who_is_not_admitted_is_answered_before_the_body) {
    Served served(small());
    Caller caller(served);
    caller.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nx");
    assert_text_equal(line(caller.rest()), "HTTP/1.1 401 Unauthorized");
}

TEST(what_two_servers_might_read_differently_is_refused) {
    Served served(small());
    struct {
        const char* fields;
        const char* answer;
    } rows[] = {
        {"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nContent-Length: -1\r\n", "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nContent-Length : 1\r\n", "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "HTTP/1.1 501 Not Implemented"},
        {"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
         "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nHost: b\r\n", "HTTP/1.1 400 Bad Request"},
        {"X: no host\r\n", "HTTP/1.1 400 Bad Request"},
        {"Host: a\r\nExpect: the unexpected\r\n", "HTTP/1.1 417 Expectation Failed"},
        {"Host: a\r\nX: a\rb\r\n", "HTTP/1.1 400 Bad Request"},
    };
    for (const auto& row : rows) {
        print_message("%s", row.fields);
        assert_text_equal(line(Caller(served).ask(std::string("POST / HTTP/1.1\r\n") + row.fields + "\r\n")),
                          row.answer);
    }
    for (const char* start : {"GET / HTTP/2.0", "GET /", "get", "GET  / HTTP/1.1", "GET http://a/ HTTP/1.1",
                              "\x16\x03\x01\x02"}) {
        print_message("%s\n", start);
        assert_text_equal(line(Caller(served).ask(std::string(start) + "\r\nHost: a\r\n\r\n")),
                          "HTTP/1.1 400 Bad Request");
    }
}

TEST(slow_callers_cost_nobody_else_anything_and_their_time_ends) {
    HttpLimits limits = small();
    limits.receive = 2000ms;
    Served served(limits);
    std::vector<std::unique_ptr<Caller>> slow;
    for (int i = 0; i < 40; i++) {
        slow.push_back(std::make_unique<Caller>(served));
        slow.back()->send("GET / HTTP/1.1\r\nX");
    }
    assert_text_equal(line(Caller(served).ask(get)), "HTTP/1.1 200 OK");
    for (std::size_t closed = 0; closed < slow.size();) {  // they send a byte now and then, which must not keep them open
        closed = 0;
        for (auto& caller : slow) closed += !caller->send("a") || caller->is_closed() ? 1 : 0;
        usleep(5000);
    }
}

TEST(one_who_does_not_take_the_answer_is_left) {
    HttpLimits limits = small();
    limits.body = 64 << 20;
    limits.send = 300ms;
    Served served(limits);
    Caller caller(served);
    const std::string large(32 << 20, 'x');
    caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n" +
                large);
    usleep(500'000);
    assert_true(caller.rest().size() < large.size());
}

TEST(when_places_run_out_the_one_that_has_waited_longest_goes) {
    HttpLimits limits = small();
    limits.connections = 4;
    Served served(limits);
    std::vector<std::unique_ptr<Caller>> silent;
    for (int i = 0; i < 4; i++) silent.push_back(std::make_unique<Caller>(served));
    assert_text_equal(line(Caller(served).ask(get)), "HTTP/1.1 200 OK");
    assert_text_equal(silent[0]->rest(), "");
    assert_text_equal(line(silent[3]->ask(get)), "HTTP/1.1 200 OK");
}

TEST(one_address_has_so_many_places) {
    HttpLimits limits = small();
    limits.per_peer = 4;
    Served served(limits, true);
    std::vector<std::unique_ptr<Caller>> silent;
    for (int i = 0; i < 4; i++) silent.push_back(std::make_unique<Caller>(served));
    assert_text_equal(line(Caller(served).ask(get)), "HTTP/1.1 200 OK");
    assert_text_equal(silent[0]->rest(), "");
}

TEST(a_second_process_does_not_share_the_address) {
    for (bool tcp : {false, true}) {
        Served served(small(), tcp);
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getsockname(served.listener().fd(), reinterpret_cast<sockaddr*>(&address), &size);
        Endpoint same;
        if (tcp) {
            same.tcp = {"127.0.0.1", ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port)};
        } else {
            same.path = reinterpret_cast<sockaddr_un&>(address).sun_path;
        }
        std::string said;
        try {
            Listener second(same, "0600");
        } catch (const std::runtime_error& error) {
            said = error.what();
        }
        assert_true(said.find(same.text()) == 0);
        assert_text_equal(line(Caller(served).ask(get)), "HTTP/1.1 200 OK");
    }
}

TEST_MAIN("http_server")
