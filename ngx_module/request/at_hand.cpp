#include "ngx_module/request/at_hand.hpp"

#include <utility>

#include "ngx_module/near/shared_zone.hpp"

namespace larder::ngx {

AtHand::AtHand(const near_cache::Found& found) {
    if (found.hold == 0) return;
    verdict = found.verdict;
    purged = found.purged;
    hold_ = found.hold;
    rest_ = found.rest;
    version_ = found.version;
    bytes_ = found.entry;
}

AtHand::AtHand(std::string bytes, Verdict v, bool is_purged)
    : verdict(v), purged(is_purged), own_(std::move(bytes)) {
    bytes_ = own_;
}

AtHand& AtHand::operator=(AtHand&& other) noexcept {
    if (this == &other) return *this;
    drop();
    swap(other);
    return *this;
}

void AtHand::swap(AtHand& other) noexcept {
    std::swap(verdict, other.verdict);
    std::swap(purged, other.purged);
    std::swap(hold_, other.hold_);
    std::swap(rest_, other.rest_);
    std::swap(version_, other.version_);
    std::swap(bytes_, other.bytes_);
    own_.swap(other.own_);  // bytes_ stays valid: an entry is too long for a string's inline buffer
}

void AtHand::join() {
    if (rest_ == 0) return;
    own_ = zone().joined(bytes_, std::exchange(rest_, 0));
    bytes_ = own_;
}

void AtHand::drop() {
    if (hold_ != 0) zone().release(hold_);
    verdict = Verdict::dead;
    purged = false;
    hold_ = 0;
    rest_ = 0;
    version_ = 0;
    bytes_ = {};
}

}  // namespace larder::ngx
