// larderctl: the command-line client of larderd's API. Exit status: 0 success, 1 larderd can't be reached or has refused,
// 2 usage.
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <thread>

#include "client.hpp"
#include "daemon/list_options.hpp"
#include "print.hpp"

namespace {

using nlohmann::json;
using namespace larder::ctl;

struct Options {
    std::string api = "127.0.0.1:9180";
    std::string token;
    bool as_json = false;
    double every = 2;
    int count = 0;
    std::string url;
    std::vector<std::string> urls, tags;
    bool hard = false;
    std::string position;
};

// Prints the answer as JSON with --json, else what `text` makes of it.
template <typename Text>
void print(const Options& options, const json& answer, Text text) {
    if (options.as_json) {
        std::cout << answer.dump(2) << '\n';
    } else {
        std::cout << text(answer);
    }
}

void top(const Options& options) {
    Client client(options.api, options.token);
    for (int shown = 0; options.count == 0 || shown < options.count; shown++) {
        if (shown > 0) std::this_thread::sleep_for(std::chrono::duration<double>(options.every));
        json status = client.get("/v1/status");
        if (!options.as_json) std::cout << "\033[H\033[2J";
        print(options, status, status_text);
        std::cout.flush();
    }
}

void purge(const Options& options) {
    json body{{"tags", in_ascii(options.tags)},
              {"urls", in_ascii(options.urls)},
              {"mode", options.hard ? "hard" : "soft"},
              {"position", options.position}};
    print(options, Client(options.api, options.token).post("/v1/purge", body), [](const json& answer) {
        return "purged " + answer["purged"].dump() + ", sequence " + answer["sequence"].dump() +
               (answer.value("stores_waiting", 0) > 0 ? "; a store is away and will get it later\n" : "\n");
    });
}

void queue_pages(const Options& options, const char* path) {
    print(options, Client(options.api, options.token).post(path, {{"urls", in_ascii(options.urls)}}),
          [](const json& answer) { return "queued " + answer["queued"].dump() + "\n"; });
}

void add_commands(CLI::App& app, Options& options) {
    auto ask = [&options](const std::string& path, auto text) {
        return [&options, path, text] { print(options, Client(options.api, options.token).get(path), text); };
    };
    app.add_subcommand("status", "Queue, jobs, backends, stores")->callback(ask("/v1/status", status_text));
    app.add_subcommand("replicas", "Database servers and their lag")
        ->callback(ask("/v1/replicas", replicas_text));

    auto* watch =
        app.add_subcommand("top", "The status again and again")->callback([&options] { top(options); });
    watch->add_option("--every", options.every, "Seconds between two looks")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    watch->add_option("--count", options.count, "Stop after so many; 0: never")
        ->type_name("NUMBER")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);

    auto* explain =
        app.add_subcommand("explain", "What is stored for a URL, and what would be served")
            ->callback([&options] {
                json answer =
                    Client(options.api, options.token).get("/v1/explain?url=" + percent_encoded(options.url));
                print(options, answer, explain_text);
            });
    explain->add_option("url", options.url, "URL")->type_name("URL")->required();

    auto* purged =
        app.add_subcommand("purge", "Mark stale by tag or URL, and render anew")->callback([&options] {
            purge(options);
        });
    purged->add_option("--tag", options.tags, "Tag; may be repeated")->type_name("TAG");
    purged->add_option("--url", options.urls, "URL, all variants and queries of its path; may be repeated")
        ->type_name("URL");
    purged->add_flag("--hard", options.hard, "Never serve what is stored again, not even stale");
    purged
        ->add_option("--position", options.position,
                     "Database commit position that caused it, NAME/SYSTEM/TIMELINE/LSN")
        ->type_name("POSITION");

    auto* refresh =
        app.add_subcommand("refresh", "Render anew what is stored for URLs")->callback([&options] {
            queue_pages(options, "/v1/refresh");
        });
    refresh->add_option("urls", options.urls, "URLs")->type_name("URL")->required();
    auto* warm = app.add_subcommand("warm", "Render URLs unless they are fresh")->callback([&options] {
        queue_pages(options, "/v1/warm");
    });
    warm->add_option("urls", options.urls, "URLs")->type_name("URL")->required();

    app.add_subcommand("drain", "Finish the jobs in hand, then exit")->callback([&options] {
        print(options, Client(options.api, options.token).post("/v1/drain", json::object()),
              [](const json&) { return "draining\n"; });
    });
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Asks and tells a running larderd.", "larderctl");
    app.add_option("--api", options.api, "HOST:PORT or unix:/PATH")
        ->type_name("ADDRESS")
        ->envname("LARDER_API")
        ->capture_default_str();
    app.add_option("--token", options.token, "api.token of larderd.toml")
        ->type_name("TOKEN")
        ->envname("LARDER_TOKEN");
    app.add_flag("--json", options.as_json, "Print the answer as JSON");
    app.set_version_flag("--version", "larderctl " LARDER_VERSION, "Print the version and exit");
    larder::add_list_options(app);
    app.require_subcommand(1);
    app.fallthrough();
    add_commands(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const CallFailed& error) {
        std::cerr << "larderctl: " << error.what() << '\n';
        return 1;
    } catch (const json::exception& error) {
        std::cerr << "larderctl: " << options.api << ": that is not an answer of larderd's: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
