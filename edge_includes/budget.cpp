// Small allocations share blocks; large ones get a block of their own.
#include "edge_includes/budget.hpp"

#include <memory>
#include <new>

namespace larder::esi {

namespace {

constexpr std::size_t first_block = 8192;
constexpr std::size_t largest_block = 32768;

}  // namespace

PageMemory::~PageMemory() {
    for (const Block& block : blocks_) ::operator delete(block.bytes, block.size);
}

void* PageMemory::do_allocate(std::size_t size, std::size_t alignment) {
    void* at = at_;
    if (at != nullptr && std::align(alignment, size, at, left_) != nullptr) {
        at_ = static_cast<char*>(at) + size;
        left_ -= size;
        return at;
    }
    if (alignment > alignof(std::max_align_t)) throw std::bad_alloc();  // operator new doesn't guarantee more
    blocks_.emplace_back();  // first: if it throws after the block was allocated, the block leaks
    std::size_t step = std::clamp(used_ / 4, first_block, largest_block);
    bool alone = size > step / 4;
    std::size_t whole = alone ? size : step;
    Block& block = blocks_.back();
    try {
        block = {::operator new(whole), whole};
    } catch (...) {
        blocks_.pop_back();
        throw;
    }
    used_ += whole;
    if (!alone) {
        at_ = static_cast<char*>(block.bytes) + size;
        left_ = whole - size;
    }
    return block.bytes;
}

}  // namespace larder::esi
