// The file of accepted purges: acknowledged purges are read back, even if the end of the file is damaged.
#include "daemon/purge/purge_log.hpp"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/cmocka.hpp"

using namespace larder::daemon;
using larder::PurgeMode;

namespace {

struct Directory {
    std::string path;

    Directory() {
        char name[] = "/tmp/larder-purge-log-XXXXXX";
        path = mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string file() const { return path + "/purges"; }
};

AcceptedPurge purge(std::uint64_t id, PurgeMode mode = PurgeMode::soft, const std::string& position = "") {
    return {id, 1'700'000'000'000 + static_cast<std::int64_t>(id), {{id * 7, 42}, mode, position}, {}};
}

void append(const std::string& file, const std::string& text) {
    std::ofstream(file, std::ios::app) << text;
}

}  // namespace

TEST(what_was_accepted_comes_back_with_what_became_of_it) {
    Directory at;
    {
        PurgeLog log(at.path);
        assert_true(log.accepted(purge(1)));
        assert_true(log.accepted(purge(2, PurgeMode::hard, "default/7000/1/AB")));
        log.delivered(1, "main", 123);
        log.delivered(2, "other", 124);
        log.delivered(9, "main", 125);  // no purge has this id
    }
    PurgeLog log(at.path);
    auto found = log.take();
    assert_int_equal(found.size(), 2);
    assert_true(found[0].id == 1 && found[0].accepted_ms == 1'700'000'000'001 && found[0].order.mode == PurgeMode::soft);
    assert_true(found[0].order.hashes == std::vector<std::uint64_t>({7, 42}) && found[0].order.position.empty());
    assert_true(found[0].sequences == (std::map<std::string, std::uint64_t>{{"main", 123}}));
    assert_true(found[1].order.mode == PurgeMode::hard && found[1].order.position == "default/7000/1/AB");
    assert_true(found[1].sequences == (std::map<std::string, std::uint64_t>{{"other", 124}}));
    assert_true(log.take().empty());
}

TEST(a_damaged_line_costs_itself_alone) {
    Directory at;
    {
        PurgeLog log(at.path);
        log.accepted(purge(1));
    }
    for (const char* text : {"garbage\n", "0000000000000000 P 5 1 s - 000000000000002a\n", "\n", std::string(3, '\0').c_str(), "P\n"})
        append(at.file(), text);
    {
        PurgeLog log(at.path);
        assert_int_equal(log.take().size(), 1);
        log.accepted(purge(2));
    }
    std::filesystem::resize_file(at.file(), std::filesystem::file_size(at.file()) - 3);  // cut off, as by a crash
    {
        PurgeLog log(at.path);
        auto found = log.take();
        assert_true(found.size() == 1 && found[0].id == 1);
        log.accepted(purge(3));
    }
    assert_int_equal(PurgeLog(at.path).take().size(), 2);
}

TEST(one_process_at_a_time) {
    Directory at;
    PurgeLog log(at.path);
    std::string why;
    try {
        PurgeLog second(at.path);
    } catch (const std::runtime_error& error) {
        why = error.what();
    }
    assert_text_equal(why, "purge.directory: " + at.path + ": another larderd uses it");
}

TEST(a_directory_is_made_and_one_that_cannot_be_is_refused) {
    Directory at;
    { PurgeLog log(at.path + "/made"); }
    assert_true(std::filesystem::exists(at.path + "/made/purges"));
    append(at.path + "/plain", "x");
    for (const std::string& path : {at.path + "/a/b", at.path + "/plain"}) {
        bool refused = false;
        try {
            PurgeLog log(path);
        } catch (const std::runtime_error&) {
            refused = true;
        }
        assert_true(refused);
    }
}

TEST(many_threads_wait_for_few_flushes_and_none_is_lost) {
    Directory at;
    {
        PurgeLog log(at.path);
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t < 8; t++) {
            threads.emplace_back([&log, t] {
                for (std::uint64_t i = 1; i <= 50; i++) {
                    if (!log.accepted(purge(t * 1000 + i))) abort();
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    assert_int_equal(PurgeLog(at.path).take().size(), 400);
}

TEST(a_full_disk_is_told_and_a_tidy_file_is_good_again) {
    Directory at;
    PurgeLog log(at.path);
    assert_true(log.accepted(purge(1)));
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{}, small{64, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_false(log.accepted(purge(2)));
    assert_false(log.accepted(purge(3)));
    log.tidy({std::make_shared<AcceptedPurge>(purge(1))}, 1 << 20);  // the disk is still full
    assert_false(log.accepted(purge(3)));
    setrlimit(RLIMIT_FSIZE, &before);
    log.tidy({std::make_shared<AcceptedPurge>(purge(1))}, 1 << 20);
    assert_true(log.accepted(purge(4)));
}

TEST(a_file_that_has_grown_is_written_anew) {
    Directory at;
    {
        PurgeLog log(at.path);
        for (std::uint64_t i = 1; i <= 100; i++) log.accepted(purge(i));
        auto last = std::make_shared<AcceptedPurge>(purge(100));
        last->sequences["main"] = 5;
        log.tidy({last}, 1 << 20);  // the file is not larger than that: not rewritten
        assert_true(std::filesystem::file_size(at.file()) > 5000);
        log.tidy({last}, 1000);
        assert_true(std::filesystem::file_size(at.file()) < 500);
        log.accepted(purge(101));
    }
    auto found = PurgeLog(at.path).take();
    assert_true(found.size() == 2 && found[0].sequences.at("main") == 5 && found[1].id == 101);
}

TEST(without_a_directory_nothing_is_kept) {
    PurgeLog log("");
    assert_true(log.accepted(purge(1)) && log.take().empty());
    log.delivered(1, "main", 1);
    log.tidy({}, 0);
}

TEST_MAIN("purge log")
