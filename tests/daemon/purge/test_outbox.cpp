// An acknowledged purge reaches every store, whatever fails meanwhile. The stores here are fakes that fail on demand.
#include "daemon/purge/outbox.hpp"

#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/cmocka.hpp"

using namespace larder::daemon;
using namespace std::chrono_literals;
using larder::Policy;
using larder::PurgeMode;

namespace {

const auto first_sequence = static_cast<std::uint64_t>(unix_ms()) * 1000;

class FakeStore : public Store {
public:
    struct Entry {
        std::uint64_t sequence;
        std::uint64_t hash;
        PurgeMode mode;
    };

    std::vector<Entry> log() const {
        std::lock_guard lock(mutex_);
        return log_;
    }
    std::size_t count(std::uint64_t hash) const {
        std::size_t n = 0;
        for (const Entry& entry : log()) n += entry.hash == hash ? 1 : 0;
        return n;
    }
    void away(bool is_away) {
        std::lock_guard lock(mutex_);
        away_ = is_away;
    }
    void nameless(bool is_nameless) {
        std::lock_guard lock(mutex_);
        nameless_ = is_nameless;
    }
    // Simulates a restart that loses the newest `lost` purges.
    void restart(std::size_t lost) {
        std::lock_guard lock(mutex_);
        log_.resize(log_.size() - std::min(lost, log_.size()));
        incarnation_++;
    }

    std::uint64_t identity() override { return 1; }
    std::string incarnation() override {
        std::lock_guard lock(mutex_);
        check();
        if (nameless_) throw std::runtime_error("NOPERM");
        return std::to_string(incarnation_);
    }
    std::uint64_t newest_purge_of(std::uint64_t hash, PurgeMode mode) override {
        std::lock_guard lock(mutex_);
        check();
        std::uint64_t newest = 0;
        for (const Entry& entry : log_) {
            if (entry.hash == hash && (mode == PurgeMode::soft || entry.mode == PurgeMode::hard))
                newest = std::max(newest, entry.sequence);
        }
        return newest;
    }
    std::uint64_t purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode, std::string_view) override {
        std::lock_guard lock(mutex_);
        check();
        sequence_++;
        for (std::uint64_t hash : hashes) log_.push_back({sequence_, hash, mode});
        return sequence_;
    }

    std::uint64_t newest_purge() override { return 0; }
    std::vector<std::string> newest_positions() override { return {}; }
    void replace_position(const std::string&, const std::string&) override {}
    PurgeSeen purges_since(std::uint64_t, const std::vector<std::uint64_t>&) override { return {}; }
    std::vector<LoggedPurge> logged_after(std::uint64_t sequence) override {
        std::lock_guard lock(mutex_);
        check();
        std::vector<LoggedPurge> purges;
        for (const Entry& entry : log_) {
            if (entry.sequence > sequence) purges.push_back({entry.sequence, entry.hash, entry.mode});
        }
        return purges;
    }
    void tell_kept(std::uint64_t sequence) override {
        std::lock_guard lock(mutex_);
        kept_ = sequence;
    }
    std::uint64_t kept() const {
        std::lock_guard lock(mutex_);
        return kept_;
    }
    std::optional<std::string> get(std::string_view) override { return {}; }
    std::optional<std::string> get_start(std::string_view, std::size_t) override { return {}; }
    bool put(std::string_view, std::string_view, std::chrono::milliseconds) override { return false; }
    void remove(std::string_view) override {}
    void index(std::string_view, const std::vector<std::uint64_t>&, std::string_view,
               std::chrono::milliseconds) override {}
    void forget(std::string_view, std::uint64_t) override {}
    KeyPage keys_under(std::uint64_t, const std::string&) override { return {}; }
    std::optional<Policy> policy(std::string_view) override { return {}; }
    std::vector<Purge> pending(std::size_t) override { return {}; }
    void settle(const Purge&) override {}

private:
    void check() const {
        if (away_) throw std::runtime_error("away");
    }

    mutable std::mutex mutex_;
    std::vector<Entry> log_;
    std::uint64_t sequence_ = first_sequence;
    std::uint64_t kept_ = 0;
    int incarnation_ = 1;
    bool away_ = false;
    bool nameless_ = false;
};

struct Bench {
    std::string directory;
    PurgeSettings settings;
    Outbox::Stores stores;
    FakeStore* a = nullptr;
    FakeStore* b = nullptr;
    Metrics metrics;
    std::unique_ptr<Outbox> outbox;

    Bench() {
        char name[] = "/tmp/larder-outbox-XXXXXX";
        directory = mkdtemp(name);
        settings.directory = directory;
        for (auto [store, at] : {std::pair{&a, "a"}, {&b, "b"}}) {
            auto made = std::make_unique<FakeStore>();
            *store = made.get();
            stores[at] = std::move(made);
        }
        start();
    }
    ~Bench() {
        outbox.reset();
        std::filesystem::remove_all(directory);
    }
    void start() { outbox = std::make_unique<Outbox>(settings, stores, metrics); }
    // Simulates kill -9: everything in memory is lost.
    void restart() {
        outbox.reset();
        start();
    }
    PurgeReceipt purge(std::uint64_t hash, PurgeMode mode = PurgeMode::soft) { return outbox->purge({{hash}, mode, ""}); }
};

bool soon(const std::function<bool()>& condition) {
    for (int i = 0; i < 3000; i++) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

}  // namespace

TEST(a_purge_goes_to_all_stores_at_once) {
    Bench bench;
    PurgeReceipt receipt = bench.purge(1);
    assert_true(receipt.refused == nullptr && receipt.sequence == first_sequence + 1 && receipt.waiting == 0);
    assert_true(bench.a->count(1) == 1 && bench.b->count(1) == 1);
}

TEST(a_store_that_is_away_gets_it_when_it_is_back_and_others_do_not_get_it_twice) {
    Bench bench;
    bench.b->away(true);
    assert_int_equal(bench.purge(1).waiting, 1);
    bench.purge(2);
    assert_int_equal(bench.outbox->waiting(), 2);
    bench.b->away(false);
    assert_true(soon([&] { return bench.outbox->waiting() == 0; }));
    auto log = bench.b->log();
    assert_true(log.size() == 2 && log[0].hash == 1 && log[1].hash == 2);
    assert_true(bench.a->log().size() == 2);
}

TEST(it_outlives_the_daemon_that_accepted_it) {
    Bench bench;
    bench.a->away(true);
    bench.b->away(true);
    PurgeReceipt receipt = bench.purge(1, PurgeMode::hard);
    assert_true(receipt.refused == nullptr && receipt.sequence == 0 && receipt.waiting == 2);
    bench.restart();
    assert_int_equal(bench.outbox->waiting(), 2);
    bench.a->away(false);
    assert_true(soon([&] { return bench.a->count(1) == 1; }));
    bench.restart();
    bench.b->away(false);
    assert_true(soon([&] { return bench.b->count(1) == 1; }));
    assert_true(bench.b->log()[0].mode == PurgeMode::hard);
    bench.restart();
    bench.purge(2);
    assert_true(bench.a->count(1) == 1);
}

TEST(a_store_that_comes_back_without_purges_gets_them_again) {
    Bench bench;
    for (std::uint64_t hash = 1; hash <= 5; hash++) bench.purge(hash, hash == 5 ? PurgeMode::hard : PurgeMode::soft);
    assert_true(soon([&] { return bench.a->log().size() == 5; }));
    bench.a->away(true);
    bench.a->restart(3);
    bench.a->away(false);
    assert_true(soon([&] { return bench.a->log().size() == 5; }));
    assert_true(bench.a->count(1) == 1 && bench.a->count(2) == 1);  // it had not lost these
    for (std::uint64_t hash : {3, 4, 5}) assert_int_equal(bench.a->count(hash), 1);
    assert_true(bench.a->newest_purge_of(5, PurgeMode::hard) > 0);
    assert_int_equal(bench.b->log().size(), 5);
    // The purges are repeated once, and again only after the next loss.
    bench.a->restart(5);
    assert_true(soon([&] { return bench.a->log().size() == 5; }));
}

TEST(purges_of_the_new_life_hide_none_of_the_old_one) {
    Bench bench;
    bench.purge(1);
    bench.purge(2);
    bench.a->restart(2);
    bench.a->purge({2}, PurgeMode::soft, "");  // another larderd has repeated it already
    bench.purge(3);
    assert_true(soon([&] { return bench.a->count(1) == 1; }));
    assert_int_equal(bench.a->count(2), 1);
    assert_int_equal(bench.a->count(3), 1);
}

TEST(also_when_the_daemon_was_dead_meanwhile) {
    Bench bench;
    bench.purge(1);
    bench.outbox.reset();
    bench.a->restart(1);
    bench.start();
    assert_true(soon([&] { return bench.a->count(1) == 1; }));
}

TEST(what_is_kept_is_bounded_and_what_a_store_lacks_goes_last) {
    Bench bench;
    bench.settings.max_size = Size(65536);
    bench.restart();
    for (std::uint64_t hash = 0; hash < 2000; hash++) assert_null(bench.purge(hash).refused);
    bench.b->away(true);
    std::size_t refused = 0;
    for (std::uint64_t hash = 5000; hash < 7000; hash++) refused += bench.purge(hash).refused ? 1 : 0;
    assert_true(refused > 0 && refused < 2000);
    assert_int_equal(bench.a->count(6999), 1);  // the store that is up takes it nevertheless
    bench.b->away(false);
    assert_true(soon([&] { return bench.outbox->waiting() == 0; }));
    assert_int_equal(bench.b->count(5000), 1);
    assert_true(std::filesystem::file_size(bench.directory + "/purges") < (3u << 20u));
}

// As with a full disk: the purge takes effect, but the caller is told that it is not recorded.
TEST(a_purge_that_cannot_be_recorded_is_refused_though_the_stores_take_it) {
    Bench bench;
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit none{0, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    PurgeReceipt receipt = bench.purge(1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(receipt.refused);
    assert_int_equal(bench.a->count(1), 1);
    assert_true(soon([&] { return bench.purge(2).refused == nullptr; }));  // the file has been rewritten
}

// As if larderd's Redis user had no permission for INFO.
TEST(a_store_that_does_not_say_which_it_is_gets_what_it_was_away_for) {
    Bench bench;
    bench.a->nameless(true);
    bench.a->away(true);
    bench.purge(1);
    bench.a->away(false);
    assert_true(soon([&] { return bench.a->count(1) == 1; }));
}

TEST(purges_that_others_gave_to_a_store_are_kept_too) {
    Bench bench;
    std::uint64_t by_nginx = bench.a->purge({7, 8}, PurgeMode::soft, "");
    assert_true(soon([&] { return bench.a->kept() >= by_nginx; }));
    bench.purge(1);
    bench.a->restart(3);  // all of them
    assert_true(soon([&] { return bench.a->log().size() == 3; }));
    for (std::uint64_t hash : {1, 7, 8}) assert_int_equal(bench.a->count(hash), 1);
    assert_int_equal(bench.b->log().size(), 1);  // only purge(1): purges read from one store are not delivered to others
    bench.restart();
    assert_int_equal(bench.outbox->waiting(), 0);
    bench.a->restart(3);
    assert_true(soon([&] { return bench.a->log().size() == 3; }));
    assert_int_equal(bench.b->log().size(), 1);
}

TEST(purges_made_while_larderd_was_away_are_kept_when_it_is_back) {
    Bench bench;
    bench.outbox.reset();
    std::uint64_t by_nginx = bench.a->purge({7}, PurgeMode::hard, "");
    bench.start();
    assert_true(soon([&] { return bench.a->kept() >= by_nginx; }));
    bench.a->restart(1);
    assert_true(soon([&] { return bench.a->count(7) == 1; }));
    assert_true(bench.a->log()[0].mode == PurgeMode::hard);
}

TEST_MAIN("outbox")
