// What one page may cost: work and memory, shared by all documents that the page is made of.
//
// Work is counted in units. A unit is one operation, one node of an expression, one callout of a regular expression, or a few
// dozen bytes read or written: at most about 100 ns of a worker's time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <utility>
#include <vector>

namespace larder::esi {

// Owns an object whose memory is the page's: the owner's end destroys the object and frees nothing.
struct DestroyOnly {
    template <typename Object>
    void operator()(Object* object) const {
        std::destroy_at(object);
    }
};
template <typename Object>
using InPageMemory = std::unique_ptr<Object, DestroyOnly>;

// Memory that is given back all at once, when the page ends, and that knows how much of it there is.
class PageMemory : public std::pmr::memory_resource {
public:
    explicit PageMemory(std::size_t limit) : limit_(limit) {}
    ~PageMemory() override;
    PageMemory(const PageMemory&) = delete;
    PageMemory& operator=(const PageMemory&) = delete;

    // Whether `size` more bytes are within the limit, less an eighth of it, which is for what can't be done without. Allocation
    // itself never looks at the limit: who can do without asks first, and the page is cut where `full()` says that all is used.
    bool fits(std::size_t size) const {
        std::size_t most = limit_ - limit_ / 8;
        return size <= most && used_ <= most - size;
    }
    bool full() const { return used_ > limit_; }
    std::size_t used() const { return used_; }
    // For bytes held elsewhere on the page's behalf.
    void add(std::size_t size) { used_ += size; }

    template <typename Object, typename... Arguments>
    InPageMemory<Object> make(Arguments&&... arguments) {
        void* room = allocate(sizeof(Object), alignof(Object));
        return InPageMemory<Object>(new (room) Object(std::forward<Arguments>(arguments)...));
    }
    std::string_view copy(std::string_view text) {
        char* room = static_cast<char*>(allocate(text.size(), 1));
        text.copy(room, text.size());
        return {room, text.size()};
    }

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override;
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    struct Block {
        void* bytes;
        std::size_t size;
    };

    std::size_t limit_;
    std::size_t used_ = 0;  // bytes of blocks, and those added
    char* at_ = nullptr;    // the free rest of the newest small block
    std::size_t left_ = 0;
    std::vector<Block> blocks_;
};

struct BudgetLimits {
    std::uint64_t work = 1'000'000;
    std::uint32_t expression_work = 20'000;  // of evaluating one expression once
    std::size_t memory = 64u << 20;          // bytes
};

// The first limit that was met.
enum class Exceeded : std::uint8_t { nothing, expression, memory, work };

class Budget {
public:
    explicit Budget(const BudgetLimits& limits = {}) : limits_(limits), work_(limits.work), memory_(limits.memory) {}

    // False: that much is not left, and from then on nothing is. What there was counts as spent: it may have been, before it was
    // known to be too little.
    bool spend(std::uint64_t work) {
        pace(work);
        std::uint64_t left = std::min(work_, expression_);
        if (work > left) return refuse(left);
        work_ -= work;
        if (expression_ != no_expression) expression_ -= work;
        return true;
    }
    bool out_of_work() const { return work_ == 0; }
    std::uint64_t work_left() const { return work_; }

    // Around the evaluation of one expression, which can't pause: so it has a limit of its own.
    void begin_expression() {
        expression_ = limits_.expression_work;
        refused_ = false;
    }
    // False when the expression would have taken more than it may, so that its value means nothing.
    bool end_expression() {
        expression_ = no_expression;
        return !refused_;
    }
    // How much the expression being evaluated may still spend.
    std::uint64_t expression_left() const { return std::min(expression_, work_); }

    // A turn of the host's event loop: what can pause does so once the slice is over.
    void begin_slice(std::uint64_t work) { slice_ = work; }
    // Work that has a limit elsewhere.
    void pace(std::uint64_t work) { slice_ -= std::min(work, slice_); }
    bool slice_is_over() const { return slice_ == 0; }
    std::uint64_t slice_left() const { return slice_; }

    PageMemory& memory() { return memory_; }
    const PageMemory& memory() const { return memory_; }

    void note(Exceeded limit) {
        if (exceeded_ == Exceeded::nothing) exceeded_ = limit;
    }
    Exceeded exceeded() const { return exceeded_; }

private:
    bool refuse(std::uint64_t left) {
        work_ -= left;
        if (expression_ != no_expression) expression_ -= left;
        refused_ = true;
        note(work_ == 0 ? Exceeded::work : Exceeded::expression);
        return false;
    }

    static constexpr std::uint64_t no_expression = UINT64_MAX;

    BudgetLimits limits_;
    std::uint64_t work_;
    std::uint64_t expression_ = no_expression;
    std::uint64_t slice_ = UINT64_MAX;
    bool refused_ = false;
    PageMemory memory_;
    Exceeded exceeded_ = Exceeded::nothing;
};

}  // namespace larder::esi
