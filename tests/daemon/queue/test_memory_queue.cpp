// The queue in memory fulfils the contract, and limits the number of jobs.
#include "daemon/queue/memory_queue.hpp"

#include "tests/daemon/queue_conformance.hpp"

namespace larder::test {

namespace {
UnixMs now_ms = 1'700'000'000'000;
}

std::unique_ptr<Queue> make_queue() {
    auto queue = std::make_unique<MemoryQueue>(limits, 100, [] { return now_ms; });
    queue->announce(1h);
    return queue;
}

void pass(std::chrono::milliseconds time) {
    now_ms += time.count();
}

TEST(a_queue_that_is_full_says_so) {
    auto queue = make_queue();
    for (int i = 0; i < 100; i++)
        assert_word(queue->enqueue("k" + std::to_string(i), "job", 0ms, false), "new");
    assert_word(queue->enqueue("one more", "job", 0ms, true), "full");
    assert_word(queue->enqueue("k7", "job", 0ms, false), "dup");
    queue->finish(queue->claim(1)[0].lease);
    assert_word(queue->enqueue("one more", "job", 0ms, false), "new");
}

}  // namespace larder::test

TEST_MAIN("memory_queue")
