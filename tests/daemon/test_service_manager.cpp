// Notifications to systemd.
#include "daemon/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>

#include "tests/cmocka.hpp"

using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {

// Listens at an abstract address that the kernel chooses, like container managers, or at a path, like systemd.
class Manager {
public:
    explicit Manager(const std::string& path = "") : path_(path), fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        socklen_t size = path.empty() ? static_cast<socklen_t>(sizeof address.sun_family)
                                      : static_cast<socklen_t>(sizeof address);
        if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0) throw std::runtime_error("bind");
        size = sizeof address;
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        if (path.empty()) {
            path_ = std::string(address.sun_path, size - offsetof(sockaddr_un, sun_path));
            path_[0] = '@';
        }
        setenv("NOTIFY_SOCKET", path_.c_str(), 1);
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
    }
    ~Manager() {
        close(fd_);
        unlink(path_.c_str());
    }
    std::string heard() const {
        char text[512];
        ssize_t size = recv(fd_, text, sizeof text, MSG_DONTWAIT);
        return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
    }

private:
    std::string path_;
    int fd_;
};

std::string path_for_test() {
    return "/tmp/larder-manager-" + std::to_string(getpid());
}

}  // namespace

TEST(a_manager_hears_of_each_state) {
    Manager systemd;
    ServiceManager manager = ServiceManager::from_environment();
    manager.ready();
    assert_text_equal(systemd.heard(), "READY=1");
    manager.alive();
    assert_text_equal(systemd.heard(), "WATCHDOG=1");
    manager.reloading();
    assert_true(std::regex_match(systemd.heard(), std::regex("RELOADING=1\nMONOTONIC_USEC=[0-9]+")));
    manager.stopping(1500ms);
    assert_text_equal(systemd.heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000");
}

TEST(a_managers_socket_may_have_a_path) {
    Manager systemd(path_for_test());
    ServiceManager::from_environment().ready();
    assert_text_equal(systemd.heard(), "READY=1");
}

TEST(without_a_manager_nothing_is_said) {
    for (const std::string& path : {std::string(), std::string("relative"), std::string("/no/such/socket"),
                                    "/" + std::string(200, 'x')}) {
        setenv("NOTIFY_SOCKET", path.c_str(), 1);
        setenv("WATCHDOG_USEC", "1000000", 1);
        ServiceManager manager = ServiceManager::from_environment();
        manager.ready();
        assert_false(manager.watchdog().has_value());
    }
    unsetenv("NOTIFY_SOCKET");
    ServiceManager::from_environment().ready();
}

TEST(a_manager_that_went_away_does_no_harm) {
    auto systemd = std::make_unique<Manager>();
    ServiceManager manager = ServiceManager::from_environment();
    systemd.reset();
    manager.alive();
}

TEST(the_watchdog_is_for_the_process_that_it_names) {
    Manager systemd;
    assert_false(ServiceManager::from_environment().watchdog().has_value());
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_true(ServiceManager::from_environment().watchdog() == 30s);
    setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
    assert_true(ServiceManager::from_environment().watchdog() == 30s);
    setenv("WATCHDOG_PID", std::to_string(getppid()).c_str(), 1);
    assert_false(ServiceManager::from_environment().watchdog().has_value());
    unsetenv("WATCHDOG_PID");
    for (const char* wrong : {"", "0", "-5", "1s"}) {
        setenv("WATCHDOG_USEC", wrong, 1);
        assert_false(ServiceManager::from_environment().watchdog().has_value());
    }
}

TEST_MAIN("service_manager")
