// Small allocations share blocks; large ones get a block of their own.
#include "edge_includes/budget.hpp"

#include <memory>
#include <new>
#include <utility>

namespace larder::esi {

namespace {

constexpr std::size_t first_block = 8192;
constexpr std::size_t largest_block = 32768;

#if defined(__has_feature)  // clang
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t most_kept = 0;  // the sanitizer must see each use of a block that was given back
#else
constexpr std::size_t most_kept = 128;
#endif

}  // namespace

// The bytes of a block follow its head.
struct alignas(std::max_align_t) PageMemory::Block {
    Block* next;
    std::size_t size;  // with the head

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

// A thread keeps the first blocks of its last pages for its next ones. Without that, all pages of a turn free their
// memory at its end, malloc() trims it from the heap, and each page of the next turn has it zeroed by the kernel again.
class PageMemory::KeptBlocks {
public:
    ~KeptBlocks() {
        while (first_ != nullptr) release(std::exchange(first_, first_->next));
    }

    Block* take(std::size_t size) {
        if (size != first_block || first_ == nullptr) return new (::operator new(size)) Block{nullptr, size};
        --count_;
        return std::exchange(first_, first_->next);
    }
    void give(Block* block) {
        if (block->size != first_block || count_ == most_kept) return release(block);
        block->next = std::exchange(first_, block);
        ++count_;
    }

private:
    static void release(Block* block) { ::operator delete(block, block->size); }

    Block* first_ = nullptr;
    std::size_t count_ = 0;
};

PageMemory::KeptBlocks& PageMemory::kept_blocks() {
    thread_local KeptBlocks blocks;
    return blocks;
}

PageMemory::~PageMemory() {
    while (blocks_ != nullptr) kept_blocks().give(std::exchange(blocks_, blocks_->next));
}

void* PageMemory::do_allocate(std::size_t size, std::size_t alignment) {
    void* at = at_;
    if (at != nullptr && std::align(alignment, size, at, left_) != nullptr) {
        at_ = static_cast<char*>(at) + size;
        left_ -= size;
        return at;
    }
    if (alignment > alignof(std::max_align_t)) throw std::bad_alloc();  // operator new doesn't guarantee more
    std::size_t step = std::clamp(used_ / 4, first_block, largest_block);
    bool alone = size > step / 4;
    Block* block = kept_blocks().take(alone ? sizeof(Block) + size : step);
    block->next = std::exchange(blocks_, block);
    used_ += block->size;
    if (!alone) {
        at_ = block->bytes() + size;
        left_ = block->size - sizeof(Block) - size;
    }
    return block->bytes();
}

}  // namespace larder::esi
