// The addresses that the name of a server leads to, and which of them is tried next: in a round each is tried once, beginning with the
// one that served last. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace larder::ngx {

template <typename Address>
class Addresses {
public:
    // At least one.
    explicit Addresses(std::vector<Address> known) : known_(std::move(known)) {}

    Address& current() { return known_[current_]; }
    bool are_several() const { return known_.size() > 1; }

    void begin_round() { tried_ = 1; }
    // On to the next one. False: all were tried in this round.
    bool try_next() {
        if (tried_ >= known_.size()) return false;
        tried_++;
        current_ = (current_ + 1) % known_.size();
        return true;
    }

    // The name leads to these now, at least one. The current one stays while it is among them; false: it is not.
    bool replace(std::vector<Address> now) {
        auto known = std::find(now.begin(), now.end(), current());
        const bool stays = known != now.end();
        current_ = static_cast<std::size_t>(stays ? known - now.begin() : 0);
        known_ = std::move(now);
        return stays;
    }

private:
    std::vector<Address> known_;
    std::size_t current_ = 0;
    std::size_t tried_ = 1;  // of this round, with the current one
};

}  // namespace larder::ngx
