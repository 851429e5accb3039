// Which status codes mean that the site failed to make the page, so that the answer says nothing about the page
// itself.
#pragma once

#include <bitset>
#include <cstdint>

namespace larder {

// A set of error status codes, from 400 to 599.
class StatusSet {
public:
    static constexpr unsigned first = 400, last = 599;

    void add(unsigned from, unsigned to) {
        for (unsigned status = from; status <= to; status++) bits_.set(status - first);
    }
    bool has(unsigned status) const { return status >= first && status <= last && bits_.test(status - first); }
    bool operator==(const StatusSet&) const = default;

private:
    std::bitset<last - first + 1> bits_;
};

// The status codes that are failures. A failure never replaces a good page, and is never served stale.
struct Failures {
    StatusSet to_anybody;
    StatusSet to_render;  // additionally, if the page was requested without a visitor: codes that are about the requester

    // 5xx and 429 (too many requests); without a visitor, 403 as well.
    static Failures usual() {
        Failures usual;
        usual.to_anybody.add(500, 599);
        usual.to_anybody.add(429, 429);
        usual.to_render.add(403, 403);
        return usual;
    }
    bool has(unsigned status, bool render) const {
        return status > StatusSet::last || to_anybody.has(status) || (render && to_render.has(status));
    }
    bool operator==(const Failures&) const = default;
};

}  // namespace larder
