// Uses Boost.Beast to parse and Boost.Asio to wait. Only this file includes them, since they are slow to compile.
#include "http_server.hpp"

#include <arpa/inet.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <thread>

#include "daemon/listener.hpp"
#include "daemon/workers.hpp"

namespace larder::daemon {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Protocol = asio::generic::stream_protocol;

constexpr auto deadline_check = 100ms;
constexpr auto accept_pause = 100ms;   // after accept() failed for lack of file descriptors or memory
constexpr auto closing_time = 1000ms;  // how long a connection lingers after the answer, for the peer to read it
constexpr auto least_between_warnings = 60s;

std::string text_of(beast::string_view text) {
    return {text.data(), text.size()};
}

std::string http_date() {
    std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// The answer as sent; without its body for HEAD.
std::string bytes_of(const ApiAnswer& answer, bool head_only) {
    std::string reason =
        answer.reason.empty()
            ? text_of(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(answer.status))))
            : answer.reason;
    std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + reason +
                      "\r\nDate: " + http_date() + "\r\nContent-Type: " + answer.type +
                      "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                      "\r\nCache-Control: no-store\r\nConnection: close\r\n";
    for (const auto& [name, value] : answer.fields) out += name + ": " + value + "\r\n";
    out += "\r\n";
    return head_only ? out : out + answer.body;
}

// The peer's address; empty for a unix socket.
std::string peer_of(const sockaddr_storage& from) {
    char text[INET6_ADDRSTRLEN] = "";
    if (from.ss_family == AF_INET)
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, text, sizeof text);
    if (from.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, text, sizeof text);
    return text;
}

// The answer to a request that Beast refused to parse; nothing if the connection failed, as nobody is there to read an
// answer.
std::optional<ApiAnswer> complaint(error_code error, const HttpLimits& limits) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
        return api_error(
            431, "the request's head is too large; legal: at most " + std::to_string(limits.head) + " bytes");
    if (error == http::error::body_limit)
        return api_error(413,
                         "the body is too large; legal: at most " + std::to_string(limits.body) + " bytes");
    bool parsed = error.category() == make_error_code(http::error::bad_method).category();
    bool cut_off = error == http::error::end_of_stream || error == http::error::partial_message;
    if (parsed && !cut_off) return api_error(400, "this is not HTTP/1.1: " + error.message());
    return std::nullopt;
}

}  // namespace

using Parser = http::request_parser<http::string_body>;

// All of it runs on the server's thread, except `handlers.handle`, which runs on `workers`.
struct HttpServer::Impl {
    class Connection;

    Impl(const Listener& listener, HttpLimits its_limits, Handlers its_handlers);

    void run();
    void accept();
    void take(int fd, const std::string& peer);
    bool make_room(const std::string& peer);
    void close_late();
    void stop();

    const HttpLimits limits;
    const Handlers handlers;
    asio::io_context io;
    asio::posix::stream_descriptor listening;
    asio::steady_timer deadline_timer, accept_timer;
    std::set<std::shared_ptr<Connection>> connections;
    Clock::time_point warned{};
    bool stopping = false;
    Workers workers;
    std::thread thread;
};

class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
public:
    // When there are too many connections, one in the first of these states is closed. Connections that are being handled
    // stay.
    enum class State : std::uint8_t { closing, head, body, sending, handling };

    Connection(Impl& server, int fd, std::string peer)
        : server_(server),
          socket_(server.io, Protocol(AF_UNSPEC, 0), fd),
          peer_(std::move(peer)),
          buffer_(server.limits.head + 2) {
        parser_.header_limit(static_cast<std::uint32_t>(server.limits.head));
        parser_.body_limit(server.limits.body);
        enter(State::head, server.limits.receive);
    }

    const std::string& peer() const { return peer_; }
    State state() const { return state_; }
    Clock::time_point since() const { return since_; }
    Clock::time_point deadline() const { return deadline_; }

    void read_head() {
        http::async_read_header(socket_, buffer_, parser_,
                                [self = shared_from_this()](error_code error, std::size_t) {
                                    error ? self->refuse(error) : self->judge();
                                });
    }

    // The server is stopping: closes the connection unless a complete request awaits its answer.
    void hurry() {
        if (state_ < State::sending) return close();
        if (state_ == State::sending) deadline_ = std::min(deadline_, Clock::now() + closing_time);
    }

    void close() {
        error_code ignored;
        socket_.close(ignored);
        server_.connections.erase(shared_from_this());
    }

private:
    void enter(State state, std::chrono::milliseconds at_most) {
        state_ = state;
        since_ = Clock::now();
        deadline_ = since_ + at_most;
    }

    void refuse(error_code error) {
        if (auto answer = complaint(error, server_.limits)) return send(*answer);
        close();
    }

    // Refuses requests that Beast accepts but that another server might parse differently (request smuggling), and what we
    // don't support.
    std::optional<ApiAnswer> fault() const {
        const auto& fields = parser_.get();
        if (fields.count(http::field::host) != 1 &&
            (fields.version() == 11 || fields.count(http::field::host) > 1))
            return api_error(400, "send one Host field");
        if (fields.count(http::field::transfer_encoding) > 0) {
            if (fields.version() < 11) return api_error(400, "Transfer-Encoding needs HTTP/1.1");
            if (fields.count(http::field::transfer_encoding) > 1 ||
                !beast::iequals(fields[http::field::transfer_encoding], "chunked"))
                return api_error(501, "Transfer-Encoding: legal: chunked");
        }
        if (fields.count(http::field::content_encoding) > 0 &&
            !beast::iequals(fields[http::field::content_encoding], "identity"))
            return api_error(415, "Content-Encoding: legal: none");
        if (fields.count(http::field::expect) > 0 &&
            !beast::iequals(fields[http::field::expect], "100-continue"))
            return api_error(417, "Expect: legal: 100-continue");
        if (fields.target().empty() || fields.target().front() != '/')
            return api_error(400, "the request's target is not a path");
        return std::nullopt;
    }

    void judge() {
        const auto& fields = parser_.get();
        std::string target = text_of(fields.target());
        std::size_t question = target.find('?');
        request_.method = text_of(fields.method_string());
        request_.path = target.substr(0, question);
        if (question != std::string::npos) request_.query = target.substr(question + 1);
        request_.authorization = text_of(fields[http::field::authorization]);
        request_.content_type = text_of(fields[http::field::content_type]);
        auto answer = fault();
        if (!answer) answer = guarded([this] { return server_.handlers.admit(request_); });
        if (answer) return send(*answer);
        state_ = State::body;
        bool waits = beast::iequals(fields[http::field::expect], "100-continue") && !parser_.is_done();
        if (!waits) return read_body();
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(socket_, asio::buffer(go_on),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              error ? self->close() : self->read_body();
                          });
    }

    void read_body() {
        http::async_read(socket_, buffer_, parser_,
                         [self = shared_from_this()](error_code error, std::size_t) {
                             error ? self->refuse(error) : self->handle();
                         });
    }

    void handle() {
        state_ = State::handling;
        deadline_ = Clock::time_point::max();
        request_.body = std::move(parser_.get().body());
        server_.workers.post([self = shared_from_this(), work = asio::make_work_guard(server_.io)] {
            auto answer = self->guarded(
                [&self] { return std::optional(self->server_.handlers.handle(self->request_)); });
            asio::post(self->server_.io, [self, answer = std::move(*answer)] { self->send(answer); });
        });
    }

    template <typename Function>
    std::optional<ApiAnswer> guarded(Function function) {
        try {
            return function();
        } catch (const std::exception& error) {
            spdlog::error("API {}: {}", request_.path, error.what());
            return api_error(500, error.what());
        }
    }

    void send(const ApiAnswer& answer) {
        enter(State::sending, server_.stopping ? closing_time : server_.limits.send);
        out_ = bytes_of(answer, request_.method == "HEAD");
        asio::async_write(socket_, asio::buffer(out_),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (error || self->server_.stopping) return self->close();
                              error_code ignored;
                              self->socket_.shutdown(asio::socket_base::shutdown_send, ignored);
                              self->enter(State::closing, closing_time);
                              self->discard();
                          });
    }

    // Closing a socket with unread data makes the kernel send RST, which may destroy our answer before the peer has read
    // it. So the data is read and dropped: at most limits.body bytes, for at most closing_time.
    void discard() {
        out_.resize(16 * 1024);
        socket_.async_read_some(
            asio::buffer(out_), [self = shared_from_this()](error_code error, std::size_t size) {
                self->discarded_ += size;
                error || self->discarded_ > self->server_.limits.body ? self->close() : self->discard();
            });
    }

    Impl& server_;
    Protocol::socket socket_;
    const std::string peer_;  // address without port; empty for a unix socket
    State state_ = State::head;
    Clock::time_point since_, deadline_;
    beast::flat_buffer buffer_;
    Parser parser_;
    ApiRequest request_;
    std::string out_;
    std::size_t discarded_ = 0;
};

HttpServer::Impl::Impl(const Listener& listener, HttpLimits its_limits, Handlers its_handlers)
    : limits(its_limits),
      handlers(std::move(its_handlers)),
      listening(io, dup(listener.fd())),
      deadline_timer(io),
      accept_timer(io),
      workers(limits.threads) {
    accept();
    thread = std::thread([this] { run(); });
}

void HttpServer::Impl::run() {
    for (;;) {
        try {
            io.run();
            return;
        } catch (const std::exception& error) {
            spdlog::error("API: {}", error.what());
        }
    }
}

void HttpServer::Impl::accept() {
    listening.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
        if (error || stopping) return;
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        int fd = accept4(listening.native_handle(), reinterpret_cast<sockaddr*>(&from), &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            accept_timer.expires_after(accept_pause);
            return accept_timer.async_wait([this](error_code ended) {
                if (!ended) accept();
            });
        }
        if (fd >= 0) take(fd, peer_of(from));
        accept();
    });
}

void HttpServer::Impl::take(int fd, const std::string& peer) {
    if (!make_room(peer)) {
        ::close(fd);
        return;
    }
    bool first = connections.empty();
    auto connection = std::make_shared<Connection>(*this, fd, peer);
    connections.insert(connection);
    connection->read_head();
    if (first) close_late();
}

// Makes sure that one more connection is within the limits, by closing another if need be. Returns false when none can be
// closed because all of their requests are being handled.
bool HttpServer::Impl::make_room(const std::string& peer) {
    auto of_peer = [&peer](const auto& connection) { return connection->peer() == peer; };
    bool own = !peer.empty() && static_cast<std::size_t>(std::count_if(connections.begin(), connections.end(),
                                                                       of_peer)) >= limits.per_peer;
    if (!own && connections.size() < limits.connections) return true;
    if (Clock::now() - warned > least_between_warnings) {
        warned = Clock::now();
        spdlog::warn("the API has {} connections{}; the oldest of those that wait are closed for new ones",
                     own ? limits.per_peer : limits.connections, own ? " of " + peer : "");
    }
    std::shared_ptr<Connection> least;
    for (const auto& one : connections) {
        if (one->state() == Connection::State::handling || (own && !of_peer(one))) continue;
        if (!least || std::pair(one->state(), one->since()) < std::pair(least->state(), least->since()))
            least = one;
    }
    if (!least) return false;
    least->close();
    return true;
}

// Closes the connections whose deadline has passed, and schedules itself again as long as there are any.
void HttpServer::Impl::close_late() {
    auto now = Clock::now();
    auto all = connections;
    for (const auto& connection : all) {
        if (connection->deadline() <= now) connection->close();
    }
    if (connections.empty()) return;
    deadline_timer.expires_after(deadline_check);
    deadline_timer.async_wait([this](error_code error) {
        if (!error) close_late();
    });
}

void HttpServer::Impl::stop() {
    stopping = true;
    listening.close();
    accept_timer.cancel();
    auto all = connections;
    for (const auto& connection : all) connection->hurry();
}

HttpServer::HttpServer(const Listener& listener, HttpLimits limits, Handlers handlers)
    : impl_(std::make_unique<Impl>(listener, limits, std::move(handlers))) {}

HttpServer::~HttpServer() {
    asio::post(impl_->io, [impl = impl_.get()] { impl->stop(); });
    impl_->thread.join();  // io.run() returns when the last connection is closed
}

}  // namespace larder::daemon
