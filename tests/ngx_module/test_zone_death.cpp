// Workers die anywhere, also inside a critical section: what they held is released, what others hold is unchanged.
#include <sys/wait.h>

#include <map>
#include <vector>

#include "tests/ngx_module/zone_world.hpp"

using namespace larder;
using namespace larder::near_cache;
using namespace larder::test;

namespace {

constexpr std::int64_t t0 = 1'000'000'000'000;

template <typename Body>
int start(Body&& body) {
    int pid = ::fork();
    assert_true(pid >= 0);
    if (pid != 0) return pid;
    body();
    ::_exit(0);
}

int wait_for(int pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

void put(Zone& zone, const Spec& spec, unsigned domain = 0) {
    Made made = make(spec);
    zone.insert(key_number(spec.number), domain, made.prefix, made.body, t0);
}

TEST(what_a_dead_worker_held_is_swept) {
    SharedMemory memory(min_zone_bytes);
    World world(memory);
    put(world.zone, {.number = 1, .size = 5000});
    std::size_t free_bytes = world.zone.usage().free_bytes;
    int child = start([&] {
        World its(memory, false);
        its.zone.find(key_number(1), t0);
        its.zone.find(key_number(1), t0);
        its.zone.claim_fill(key_number(2), 0, t0, 60'000);
        its.zone.claim_fill(key_number(2), 5, t0, 60'000);
        its.zone.claim_refresh(key_number(1), t0, 60'000);
        its.zone.claim_refresh(key_number(3), t0, 1000);
        its.zone.postpone_refresh(key_number(3), t0 + 60'000);
    });
    wait_for(child);
    Found mine = world.zone.find(key_number(1), t0);
    assert_int_equal(world.zone.usage().holds, 3);
    assert_true(world.zone.claim_fill(key_number(2), 6, t0, 60'000) == Fill::wait);
    assert_false(world.zone.claim_refresh(key_number(1), t0, 1000));
    assert_int_equal(world.zone.sweep([](int) { return true; }), 0);
    assert_int_equal(world.zone.usage().holds, 3);
    assert_int_equal(world.zone.sweep([child](int pid) { return pid != child; }), 1u << 5 | 1u << 6);
    assert_int_equal(world.zone.usage().holds, 1);
    assert_true(world.zone.claim_fill(key_number(2), 6, t0, 60'000) == Fill::mine);
    assert_true(world.zone.claim_refresh(key_number(1), t0, 1000));
    assert_false(world.zone.claim_refresh(key_number(3), t0, 1000));  // postponed, no matter by whom
    assert_text_equal(bytes_of(world.zone, mine), make({.number = 1, .size = 5000}).bytes());
    world.zone.release(mine.hold);
    assert_true(world.zone.consistent());
    world.zone.forget(key_number(1));
    assert_true(world.zone.usage().free_bytes > free_bytes);
}

TEST(a_release_after_a_sweep_releases_nobody_else_s) {
    SharedMemory memory(min_zone_bytes);
    World world(memory);
    put(world.zone, {.number = 1});
    Found first = world.zone.find(key_number(1), t0);
    world.zone.sweep([](int) { return false; });  // takes us for dead
    int child = start([&] {
        World its(memory, false);
        its.zone.find(key_number(1), t0);
        ::pause();
    });
    while (world.zone.usage().holds == 0) ::sched_yield();
    world.zone.release(first.hold);
    assert_int_equal(world.zone.usage().holds, 1);
    ::kill(child, SIGKILL);
    wait_for(child);
    world.zone.sweep([child](int pid) { return pid != child; });
    assert_true(world.zone.consistent());
}

// A lock that kills its process at the end of a critical section, before it unlocks: of the one after `unlocks`
// others.
class DeadlyLock final : public Lock {
public:
    DeadlyLock(SharedLock& real, int unlocks) : real_(real), left_(unlocks) {}
    void lock() override { real_.lock(); }
    void unlock() override {
        if (left_-- == 0) ::kill(::getpid(), SIGKILL);
        real_.unlock();
    }

private:
    SharedLock& real_;
    int left_;
};

TEST(a_death_holding_the_lock_after_the_work_is_done_costs_nothing) {
    SharedMemory memory(min_zone_bytes);
    World world(memory);
    put(world.zone, {.number = 1});
    int child = start([&] {
        SharedLock shared(memory.lock_word());
        DeadlyLock lock(shared, 0);
        Zone zone(memory.area(), memory.size, lock, false);
        zone.claim_fill(key_number(1), 0, t0, 1000);
    });
    assert_true(WIFSIGNALED(wait_for(child)));
    assert_true(world.lock.force_open(child));
    assert_true(world.zone.find(key_number(1), t0).hold != 0);
    assert_int_equal(world.zone.stats().counters[static_cast<unsigned>(Counter::recoveries)], 0);
}

struct Shared {                                     // what parent and child share besides the zone
    std::atomic<unsigned> working;                  // the number of the child that has begun
    std::atomic<std::uint64_t> acknowledged[4000];  // by tag: the sequences of soft purges that returned
};

// Starts one worker after another, and kills each at some moment. After each death: what the survivor holds is
// unchanged, nothing is lost or torn, no purge that had returned is forgotten, and the zone works. If none of the
// first `kills` died with the lock held, more follow, until one has.
void die_often(unsigned kills, const std::function<void(Zone&, Random&, Shared&)>& work) {
    SharedMemory memory(min_zone_bytes), extra(sizeof(Shared));
    Shared& shared = *new (extra.area()) Shared{};
    World world(memory);
    Random random(kills);
    struct Held {
        Found found;
        std::string bytes;
        unsigned number;
    };
    std::vector<Held> held;
    unsigned locked = 0;
    for (unsigned kill = 0; kill < kills || (locked == 0 && kill < 20 * kills); kill++) {
        int child = start([&] {
            World its(memory, false);
            Random its_random(kill);
            shared.working = kill + 1;
            for (;;) work(its.zone, its_random, shared);
        });
        while (shared.working != kill + 1) ::sched_yield();
        ::usleep(random(3000));
        ::kill(child, SIGKILL);
        assert_true(WIFSIGNALED(wait_for(child)));
        locked += world.lock.force_open(child);
        for (const Held& h : held) assert_text_equal(bytes_of(world.zone, h.found), h.bytes);
        assert_true(world.zone.consistent());  // recovers first, if it has to
        world.zone.sweep([child](int pid) { return pid != child; });
        assert_true(world.zone.consistent());
        assert_int_equal(world.zone.usage().holds, held.size());
        for (unsigned number = 0; number < 60; number++) {
            Found found = world.zone.find(key_number(number), t0);
            if (found.hold != 0) assert_true(is_version_of(number, bytes_of(world.zone, found)));
            world.zone.release(found.hold);
        }
        for (unsigned tag = 0; tag < 4000; tag += 1 + random(100)) {
            std::uint64_t sequence = shared.acknowledged[tag];
            if (sequence == 0) continue;
            std::string name = std::to_string(tag);
            std::string bytes =
                make({.life = {t0, 100'000'000, 1000, 1000}, .fence = sequence - 1, .tags = {name}}).bytes();
            assert_true(world.zone.judge_foreign(EntryView::trusted(bytes), 1, t0 + 1'000'000).verdict !=
                        Verdict::fresh);
        }
        // Hold some more, and release some.
        unsigned number = random(60);
        put(world.zone, {.number = number, .version = kill, .size = random(kill % 8 == 0 ? 150'000 : 5000), .fence = kill});
        Found found = world.zone.find(key_number(number), t0);
        if (found.hold != 0) held.push_back({found, bytes_of(world.zone, found), number});
        if (held.size() > 10) {
            std::swap(held[random(10)], held.back());
            world.zone.release(held.back().found.hold);
            held.pop_back();
        }
    }
    for (const Held& h : held) world.zone.release(h.found.hold);
    assert_int_equal(world.zone.usage().holds, 0);
    assert_true(world.zone.consistent());
    assert_true(locked > 0);
}

TEST(three_hundred_workers_die_while_they_serve_and_fill) {
    std::map<unsigned, std::vector<Made>> made;
    for (unsigned number = 0; number < 60; number++) {
        for (std::size_t size : {50u, 3000u, 40'000u, 180'000u})
            made[number].push_back(
                make({.number = number, .version = size, .size = size, .fence = 1u << 30}));
    }
    die_often(300, [&made](Zone& zone, Random& random, Shared&) {
        unsigned number = random(60);
        Key key = key_number(number);
        const Made& one = made[number][random(4)];
        switch (random(6)) {
            case 0:
                zone.insert(key, 0, one.prefix, one.body, t0);
                break;
            case 1:
                zone.claim_fill(key, random(64), t0, 1000);
                break;
            case 2:
                zone.forget(key);
                break;
            case 3:
                zone.find(key, t0);
                break;  // and never release it
            default:
                zone.release(zone.find(key, t0).hold);
        }
        if (random(50) == 0) zone.sweep([](int) { return true; });
    });
}

TEST(a_hundred_workers_die_while_they_purge) {
    die_often(100, [](Zone& zone, Random& random, Shared& shared) {
        unsigned tag = random(4000);
        std::uint64_t sequence = zone.purge(1, tag_hash(std::to_string(tag)), PurgeMode::soft, 0, t0);
        shared.acknowledged[tag] = sequence;
    });
}

}  // namespace

TEST_MAIN("near cache: deaths")
