// The HTTP client with good and bad answers of backends.
#include "daemon/render/backend_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {

// A server that answers one request with these bytes.
class Site {
public:
    explicit Site(std::string bytes) : fd_(socket(AF_INET, SOCK_STREAM, 0)), bytes_(std::move(bytes)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 1) != 0)
            throw std::runtime_error("listen");
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~Site() {
        shutdown(fd_, SHUT_RDWR);
        thread_.join();
        close(fd_);
    }
    std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }

private:
    void serve() {
        int peer = accept(fd_, nullptr, nullptr);
        if (peer < 0) return;
        char request[4096];
        if (recv(peer, request, sizeof request, 0) > 0)
            send(peer, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
        close(peer);
    }

    int fd_;
    std::uint16_t port_ = 0;
    std::string bytes_;
    std::thread thread_;
};

BackendAnswer ask(BackendClient& client, const std::string& origin) {
    BackendRequest request;
    request.origin = origin;
    request.target = "/";
    request.timeout = std::chrono::seconds(10);
    request.max_body = 1000;
    std::promise<BackendAnswer> promise;
    client.call(request, [&promise](BackendAnswer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
}

BackendAnswer answer_to(const std::string& bytes) {
    BackendClient client;
    Site site(bytes);
    return ask(client, site.origin());
}

std::string names(const BackendAnswer& answer) {
    std::string out;
    for (const auto& [name, value] : answer.headers) out += name + " ";
    return out;
}

}  // namespace

TEST(trailers_steer_nothing) {
    const std::string start = "HTTP/1.1 200 OK\r\nContent-Type: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string trailers =
        "0\r\nSurrogate-Control: max-age=86400\r\nHTTP/1.1 200: x\r\nSurrogate-Key: evil\r\n\r\n";
    for (const char* body : {"", "5\r\nhello\r\n"}) {
        BackendAnswer got = answer_to(start + body + trailers);
        assert_text_equal(names(got), "Content-Type Transfer-Encoding ");
        assert_int_equal(got.status, 200);
    }
}

TEST(informational_responses_are_not_the_answer) {
    BackendAnswer got = answer_to(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nX: y\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(got.status, 404);
    assert_text_equal(names(got), "X Content-Length ");
}

TEST(what_is_too_large_or_cut_off_is_no_answer) {
    assert_text_equal(
        answer_to("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x')).error,
        "the body is larger than allowed");
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 300; i++) many += "X: y\r\n";
    assert_text_equal(answer_to(many + "\r\n").error,
                      "the header section is larger than 64 KiB or 256 lines");
    BackendAnswer cut_off = answer_to("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxxx");
    assert_false(cut_off.error.empty());
    assert_false(cut_off.unreachable);
}

TEST(one_that_is_away_is_told_from_one_that_fails) {
    BackendClient client;
    assert_true(ask(client, "http://127.0.0.1:1").unreachable);
    client.abort();
    BackendAnswer aborted = ask(client, "http://127.0.0.1:1");
    assert_false(aborted.error.empty());
}

TEST_MAIN("backend_client")
