// An entry that a request has at hand, and what is known of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/verdict.hpp"
#include "ngx_module/near/zone.hpp"

namespace larder::ngx {

// The bytes are either held in the near cache, until this is destroyed, or they are this object's own. It can be moved, which leaves
// nothing behind.
class AtHand {
public:
    AtHand() = default;
    // Takes over what zone().find() found: its hold is released by this object.
    explicit AtHand(const near_cache::Found& found);
    // An entry that is not in the near cache.
    AtHand(std::string bytes, Verdict v, bool is_purged);
    AtHand(AtHand&& other) noexcept { swap(other); }
    AtHand& operator=(AtHand&& other) noexcept;
    ~AtHand() { drop(); }

    bool empty() const { return bytes_.empty(); }
    // Precondition of all that follows: !empty().
    EntryView view() const { return EntryView::trusted(bytes_); }
    bool is_held() const { return hold_ != 0; }
    std::uint64_t version() const { return version_; }  // held: of the entry in the near cache
    // The rest of the body, for zone().next_piece(). 0: view() has the whole body.
    near_cache::Ref rest() const { return rest_; }

    // Makes the entry one piece, for those who need its body in one. Copies, unless it is one.
    void join();
    void drop();

    Verdict verdict = Verdict::dead;
    bool purged = false;  // stale because of a purge

private:
    void swap(AtHand& other) noexcept;

    near_cache::Hold hold_ = 0;
    near_cache::Ref rest_ = 0;
    std::uint64_t version_ = 0;
    std::string_view bytes_;  // held, or in own_: of the entry up to its body's end, or, if there is a rest, its beginning
    std::string own_;
};

}  // namespace larder::ngx
