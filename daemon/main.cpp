// larderd: command line, signals, exit codes. Exit: 0 drained or settings valid, 1 settings invalid or start failed, 2 usage.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <curl/curl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "daemon.hpp"
#include "daemon/list_options.hpp"
#include "daemon/service_manager.hpp"

namespace {

using namespace larder::daemon;

// The log's destination. SIGHUP reopens the file, because log rotation has renamed it.
class Log {
public:
    explicit Log(const LogSettings& log) {
        auto logger = std::make_shared<spdlog::logger>("larderd", sinks_);
        logger->flush_on(spdlog::level::debug);
        spdlog::set_default_logger(logger);  // before open(), which sets its level
        open(log);
    }

    // Throws spdlog::spdlog_ex when the file can't be opened; the log then keeps its former destination.
    void open(const LogSettings& log) {
        std::shared_ptr<spdlog::sinks::sink> sink;
        if (log.file.empty()) {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        } else {
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(log.file);
        }
        sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e [%l] %v");
        sinks_->set_sinks({sink});
        spdlog::set_level(spdlog::level::from_str(log.level));
    }

private:
    std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks_ = std::make_shared<spdlog::sinks::dist_sink_mt>();
};

sigset_t signals_to_wait_for() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
    return set;
}

// Waits for one of the signals. Returns 0 when none has come within `longest`.
int next_signal(const sigset_t& signals, std::chrono::milliseconds longest) {
    timespec time{longest.count() / 1000, longest.count() % 1000 * 1'000'000};
    int number = sigtimedwait(&signals, nullptr, &time);
    return number < 0 ? 0 : number;
}

void reload(Daemon& daemon, Log& log, const std::string& file) {
    try {
        Settings settings = load_settings(file);
        log.open(settings.log);
        daemon.reload(std::move(settings));
    } catch (const std::exception& error) {
        spdlog::error("the old settings stay: {}", error.what());
    }
}

int run(Settings settings, const std::string& file) {
    // Blocked before any thread is created: threads inherit the mask, so these signals reach sigtimedwait() in this thread
    // only.
    sigset_t signals = signals_to_wait_for();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const ServiceManager manager = ServiceManager::from_environment();
    try {
        Log log(settings.log);
        Daemon daemon(std::move(settings), [] { kill(getpid(), SIGTERM); });
        manager.ready();
        for (;;) {
            auto patience = manager.watchdog();
            if (patience && daemon.turns(*patience)) manager.alive();
            int number = next_signal(signals, patience ? *patience / 2 : 1h);
            if (number == 0) continue;
            if (number != SIGHUP) break;
            manager.reloading();
            reload(daemon, log, file);
            manager.ready();
        }
        manager.stopping(daemon.longest_drain());
        daemon.drain();
    } catch (const std::exception& error) {
        spdlog::critical("{}", error.what());
        return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string file = "/etc/larder/larderd.toml";
    bool check = false, list = false;
    CLI::App app("Larder's daemon: regenerates what nginx serves stale.", "larderd");
    app.add_option("-c,--config", file, "Settings file")->type_name("FILE")->capture_default_str();
    app.add_flag("--check", check, "Check the settings and exit: 0 valid, 1 not");
    app.add_flag("--list-settings", list, "Print the table of all settings, tab-separated, and exit");
    app.set_version_flag("--version", "larderd " LARDER_VERSION, "Print the version and exit");
    larder::add_list_options(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (list) {
        std::cout << list_settings();
        return 0;
    }
    try {
        Settings settings = load_settings(file);
        if (check) {
            std::cout << file << ": valid\n";
            return 0;
        }
        return run(std::move(settings), file);
    } catch (const SettingsError& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
