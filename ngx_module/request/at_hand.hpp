// The entry that a request holds, with its verdict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/verdict.hpp"
#include "ngx_module/near/zone.hpp"

namespace larder::ngx {

// The bytes are either in the near cache, under a hold that this object releases, or owned by this object. Movable; a
// moved-from object is empty.
class AtHand {
public:
    AtHand() = default;
    // Takes over the hold of what zone().find() returned.
    explicit AtHand(const near_cache::Found& found);
    // For an entry that is not in the near cache.
    AtHand(std::string bytes, Verdict v, bool is_purged);
    AtHand(AtHand&& other) noexcept { swap(other); }
    AtHand& operator=(AtHand&& other) noexcept;
    ~AtHand() { drop(); }

    bool empty() const { return bytes_.empty(); }
    // Precondition of everything below, up to rest(): !empty().
    EntryView view() const { return EntryView::trusted(bytes_); }
    bool is_held() const { return hold_ != 0; }
    std::uint64_t version() const { return version_; }  // if is_held(): identifies the entry in the near cache
    // Where the rest of the body begins, for zone().next_piece(). 0: view() has the whole body.
    near_cache::Ref rest() const { return rest_; }

    // Makes the entry contiguous, for users that need the body in one piece. Copies it, unless it is contiguous
    // already.
    void join();
    void drop();

    Verdict verdict = Verdict::dead;
    bool purged = false;  // stale because of a purge

private:
    void swap(AtHand& other) noexcept;

    near_cache::Hold hold_ = 0;
    near_cache::Ref rest_ = 0;
    std::uint64_t version_ = 0;
    std::string_view bytes_;  // under the hold or in own_; if rest_ != 0, the head and the first piece of the body
    std::string own_;
};

}  // namespace larder::ngx
