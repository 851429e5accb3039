// Four processes use one small zone at once: everything they find is exactly something that was inserted.
#include <sys/wait.h>

#include <chrono>
#include <vector>

#include "tests/ngx_module/zone_world.hpp"

using namespace larder;
using namespace larder::near_cache;
using namespace larder::test;

namespace {

constexpr std::int64_t t0 = 1'000'000'000'000;
constexpr unsigned pages = 150;

struct Held {
    unsigned number;
    Found found;
    std::string bytes;
};

// Returns whether everything that it found was right.
bool work(Zone& zone, unsigned seed, const std::atomic<bool>& stop) {
    Random random(seed);
    std::vector<Held> held;
    std::int64_t now = t0;
    std::uint64_t version = 0;
    bool right = true;
    while (!stop && right) {
        now += random(20);
        unsigned number = random(pages);
        Key key = key_number(number);
        switch (random(12)) {
            case 0:
            case 1: {
                if (zone.claim_fill(key, seed, now, 100) != Fill::mine) break;
                Spec spec{.number = number,
                          .version = ++version,
                          .size = random(random(20) == 0 ? 200'000 : 6000),
                          .tags = {"t"}};
                spec.life.base_ms = now;
                spec.fence = zone.last_purge(1);
                Made made = make(spec);
                zone.insert(key, random(2), made.prefix, made.body, now, nullptr, random(2) == 0);
                break;
            }
            case 2:
            case 3:
                if (held.empty()) break;
                std::swap(held[random(static_cast<unsigned>(held.size()))], held.back());
                right = bytes_of(zone, held.back().found) == held.back().bytes;
                zone.release(held.back().found.hold);
                held.pop_back();
                break;
            case 4:
                zone.abandon(key);
                break;
            case 5:
                zone.changed(key);
                break;
            case 6:
                if (random(100) == 0)
                    zone.purge(1, tag_hash("t"), random(2) ? PurgeMode::soft : PurgeMode::hard, 0, now);
                break;
            case 7:
                if (random(100) == 0)
                    zone.set_told(1, random(2) == 0);
                else if (random(20) == 0)
                    zone.forget(key);
                break;
            default: {
                Found found = zone.find(key, now);
                if (found.hold == 0) break;
                right = is_version_of(number, bytes_of(zone, found));
                if (held.size() < 20)
                    held.push_back({number, found, bytes_of(zone, found)});
                else
                    zone.release(found.hold);
            }
        }
    }
    for (const Held& h : held) {
        right = right && bytes_of(zone, h.found) == h.bytes;
        zone.release(h.found.hold);
    }
    return right;
}

TEST(four_processes_never_see_a_byte_that_is_not_theirs_to_see) {
    SharedMemory memory(min_zone_bytes), extra(sizeof(std::atomic<bool>));
    auto& stop = *new (extra.area()) std::atomic<bool>(false);
    World world(memory);
    std::vector<int> children;
    for (unsigned i = 0; i < 4; i++) {
        int pid = ::fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            World its(memory, false);
            ::_exit(work(its.zone, i, stop) ? 0 : 1);
        }
        children.push_back(pid);
    }
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < end) {
        assert_true(world.zone.consistent());
        ::usleep(10'000);
    }
    stop = true;
    for (int pid : children) {
        int status = -1;
        assert_int_equal(::waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(world.zone.consistent());
    assert_int_equal(world.zone.usage().holds, 0);
    auto& counters = world.zone.stats().counters;
    assert_int_equal(counters[static_cast<unsigned>(Counter::recoveries)], 0);
    assert_true(counters[static_cast<unsigned>(Counter::evictions)] > 0);
}

}  // namespace

TEST_MAIN("near cache: several processes")
