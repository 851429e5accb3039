// For tests of the zone: memory shared by forked processes, a lock that can be forced open, and entries with
// recognisable contents.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

#include "ngx_module/near/zone.hpp"
#include "tests/cmocka.hpp"

namespace larder::test {

// A lock that stores the process id of its holder in shared memory.
class SharedLock final : public near_cache::Lock {
public:
    explicit SharedLock(std::atomic<int>& owner) : owner_(owner) {}
    void lock() override {
        for (int free = 0; !owner_.compare_exchange_weak(free, ::getpid()); free = 0) ::sched_yield();
    }
    void unlock() override { owner_ = 0; }
    // Unlocks for a process that died, as nginx's master does. Returns whether it held the lock.
    bool force_open(int pid) { return owner_.compare_exchange_strong(pid, 0); }

private:
    std::atomic<int>& owner_;
};

class SharedMemory {
public:
    explicit SharedMemory(std::size_t bytes) : size(bytes) {
        void* mapped =
            ::mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) throw std::runtime_error("mmap failed");
        start_ = static_cast<char*>(mapped);
    }
    ~SharedMemory() { ::munmap(start_, size + page); }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    std::atomic<int>& lock_word() { return *reinterpret_cast<std::atomic<int>*>(start_); }
    void* area() { return start_ + page; }
    std::size_t size;

private:
    static constexpr std::size_t page = 4096;
    char* start_;
};

// One process's view of the zone. A child makes its own over the same memory.
struct World {
    explicit World(SharedMemory& memory, bool fresh = true)
        : lock(memory.lock_word()), zone(memory.area(), memory.size, lock, fresh) {}
    SharedLock lock;
    near_cache::Zone zone;
};

inline std::string bytes_of(const near_cache::Zone& zone, const near_cache::Found& found) {
    return zone.joined(found.entry, found.rest);
}

class Random {
public:
    explicit Random(unsigned seed) : generator_(seed) {}
    unsigned operator()(unsigned below) { return static_cast<unsigned>(generator_()) % below; }

private:
    std::mt19937 generator_;
};

struct Made {
    std::string prefix, body;
    std::string bytes() const { return prefix + body; }
};

inline Key key_number(unsigned number) {
    return key_of("page " + std::to_string(number));
}

struct Spec {
    unsigned number = 0;        // of the page
    std::uint64_t version = 0;  // of its contents
    std::size_t size = 100;     // of the body
    Lifetime life{1'000'000'000'000, 60'000, 3'600'000, 86'400'000};
    std::uint64_t fence = 0;
    std::int64_t created_ms = 0;  // 0: life.base_ms
    std::vector<std::string_view> tags = {};
};

// A body that states its page and version, from which all its bytes follow.
inline std::string body_of(unsigned number, std::uint64_t version, std::size_t size) {
    std::string body =
        std::to_string(number) + ":" + std::to_string(version) + ":" + std::to_string(size) + "|";
    if (body.size() > size) return std::string(size, '.');
    std::uint64_t state = number * 0x9e3779b97f4a7c15u + version;
    body.reserve(size);
    while (body.size() < size) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        body.push_back(static_cast<char>(state >> 56));
    }
    return body;
}

inline Made make(const Spec& spec) {
    std::string path = "/" + std::to_string(spec.number);
    Variant variant{.method = "GET",
                    .scheme = "http",
                    .host = "example.org",
                    .path = path,
                    .query = {},
                    .cookies = {},
                    .headers = {}};
    std::string encoded = variant.encode();
    Made made;
    made.body = body_of(spec.number, spec.version, spec.size);
    made.prefix = entry_prefix({.created_ms = spec.created_ms != 0 ? spec.created_ms : spec.life.base_ms,
                                .life = spec.life,
                                .fence = spec.fence,
                                .variant = encoded,
                                .tags = spec.tags,
                                .headers = {},
                                .plan = {},
                                .body = made.body});
    return made;
}

// Whether the bytes are exactly some version of this page. Verifies the entry's checksums, too.
inline bool is_version_of(unsigned number, std::string_view bytes) {
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);
    if (!entry) return false;
    std::string_view body = entry->body();
    if (Variant::parse(entry->variant(), &why)->path != "/" + std::to_string(number)) return false;
    if (body.find_first_not_of('.') == body.npos) return true;  // too short to state its version
    unsigned long long its_number = 0, version = 0, size = 0;
    std::string head(body.substr(0, 60));
    if (std::sscanf(head.c_str(), "%llu:%llu:%llu|", &its_number, &version, &size) != 3) return false;
    return its_number == number && body == body_of(number, version, size);
}

}  // namespace larder::test
