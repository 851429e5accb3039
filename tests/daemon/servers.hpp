// Starts real servers on free ports for unit tests, and ends them with the test program.
#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace larder::test {

class Server {
public:
    // An argument "PORT" in `command` is replaced by the port.
    explicit Server(std::vector<std::string> command) : port_(free_port()) {
        for (std::string& word : command) {
            if (word == "PORT") word = std::to_string(port_);
        }
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG,
                  SIGKILL);  // the destructor doesn't run if an assertion fails
            if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
            std::vector<char*> arguments;
            for (std::string& word : command) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            execvp(arguments[0], arguments.data());
            _exit(127);
        }
        for (int i = 0; !listens(); i++) {
            if (i == 5000) throw std::runtime_error(command[0] + " does not start");
            usleep(2000);
        }
    }
    ~Server() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::uint16_t port() const { return port_; }

private:
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }
    static std::uint16_t free_port() {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        bind(fd, reinterpret_cast<sockaddr*>(&address), size);
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
        close(fd);
        return ntohs(address.sin_port);
    }
    bool listens() const {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = loopback(port_);
        bool answered = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        close(fd);
        return answered;
    }

    std::uint16_t port_;
    pid_t pid_;
};

inline Server& redis_server() {
    static Server server({"redis-server", "--bind", "127.0.0.1", "--port", "PORT", "--save", "",
                          "--appendonly", "no", "--dir", "/tmp"});
    return server;
}

inline Server& memcached_server() {
    static Server server({"memcached", "-u", geteuid() == 0 ? "nobody" : "", "-l", "127.0.0.1", "-p", "PORT",
                          "-U", "0", "-m", "64"});
    return server;
}

}  // namespace larder::test
