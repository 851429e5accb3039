// Limits the work and the memory of one page, over all documents that it consists of.
//
// Work is counted in units. A unit is one operation, one node of an expression, one callout of a regular expression, or a few
// dozen bytes read or written: about 100 ns of CPU time at most.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <utility>

namespace larder::esi {

// Deleter for objects in a page's memory: calls the destructor and frees nothing.
struct DestroyOnly {
    template <typename Object>
    void operator()(Object* object) const {
        std::destroy_at(object);
    }
};
template <typename Object>
using InPageMemory = std::unique_ptr<Object, DestroyOnly>;

// An arena: allocations are only freed when it is destroyed, with the page. Counts the bytes.
class PageMemory : public std::pmr::memory_resource {
public:
    explicit PageMemory(std::size_t limit) : limit_(limit) {}
    ~PageMemory() override;
    PageMemory(const PageMemory&) = delete;
    PageMemory& operator=(const PageMemory&) = delete;

    // Whether `size` more bytes fit within 7/8 of the limit. allocate() itself doesn't enforce the limit: code that can
    // fail gracefully asks here first, and the remaining eighth is for allocations that can't fail. When full(), the page
    // is cut off.
    bool fits(std::size_t size) const {
        std::size_t most = limit_ - limit_ / 8;
        return size <= most && used_ <= most - size;
    }
    bool full() const { return used_ > limit_; }
    std::size_t used() const { return used_; }
    // Counts bytes that are allocated elsewhere for this page.
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

    struct Block;
    class KeptBlocks;
    static KeptBlocks& kept_blocks();  // this thread's

    std::size_t limit_;
    std::size_t used_ = 0;  // bytes of all blocks, and those of add()
    char* at_ = nullptr;    // free space in the current block
    std::size_t left_ = 0;  // bytes of it
    Block* blocks_ = nullptr;  // all of them, the newest first
};

struct BudgetLimits {
    std::uint64_t work = 1'000'000;
    std::uint32_t expression_work = 20'000;  // for each evaluation of one expression
    std::size_t memory = 64u << 20;          // bytes
};

// The first limit that was exceeded.
enum class Exceeded : std::uint8_t { nothing, expression, memory, work };

class Budget {
public:
    explicit Budget(const BudgetLimits& limits = {}) : limits_(limits), work_(limits.work), memory_(limits.memory) {}

    // Spends work. Returns false if less is left; then all that was left is spent too, because the caller may have done
    // the work before it knew its cost.
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

    // begin_expression() and end_expression() enclose the evaluation of one expression. An evaluation can't pause, so it
    // has its own limit.
    void begin_expression() {
        expression_ = limits_.expression_work;
        refused_ = false;
    }
    // Returns false when the expression has exceeded its limit; its value is then undefined.
    bool end_expression() {
        expression_ = no_expression;
        return !refused_;
    }
    // The work that the current expression may still spend.
    std::uint64_t expression_left() const { return std::min(expression_, work_); }

    // Begins a turn of the host's event loop, which gets a slice of `work`. Code that can pause does so when the slice is
    // used up.
    void begin_slice(std::uint64_t work) { slice_ = work; }
    // Counts work against the slice only, for work that is limited elsewhere.
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
