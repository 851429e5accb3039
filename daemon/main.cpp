// larderd: command line, signals, exit codes. Exit: 0 drained or settings valid, 1 settings invalid or start failed, 2 usage.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <curl/curl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon.hpp"

namespace {

using namespace larder::daemon;

void open_log(const LogSettings& log) {
    auto logger =
        log.file.empty() ? spdlog::stderr_logger_mt("larderd") : spdlog::basic_logger_mt("larderd", log.file);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e [%l] %v");
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(logger);
    spdlog::set_level(spdlog::level::from_str(log.level));
}

sigset_t signals_to_wait_for() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
    return set;
}

void reload(Daemon& daemon, const std::string& file) {
    try {
        Settings settings = load_settings(file);
        spdlog::set_level(spdlog::level::from_str(settings.log.level));
        daemon.reload(std::move(settings));
    } catch (const SettingsError& error) {
        spdlog::error("the old settings stay: {}", error.what());
    }
}

int run(Settings settings, const std::string& file) {
    // Before any thread is made, so that each inherits the mask and signals come to this thread alone.
    sigset_t signals = signals_to_wait_for();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    open_log(settings.log);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    try {
        Daemon daemon(std::move(settings), [] { kill(getpid(), SIGTERM); });
        for (int number = 0; sigwait(&signals, &number) == 0;) {
            if (number != SIGHUP) break;
            reload(daemon, file);
        }
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
    app.add_option("-c,--config", file, "Settings file")->capture_default_str();
    app.add_flag("--check", check, "Check the settings and exit: 0 valid, 1 not");
    app.add_flag("--list-settings", list, "Print the table of all settings, tab-separated, and exit");
    app.set_version_flag("--version", "larderd " LARDER_VERSION);
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
