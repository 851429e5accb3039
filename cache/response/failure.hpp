// Which answers say that the site has failed to make the page, and nothing of the page itself.
#pragma once

#include <bitset>
#include <cstdint>

namespace larder {

// Statuses of errors, 400 to 599.
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

// The answers that are failures: none of them takes the place of a good page, nor is it kept past its time.
struct Failures {
    StatusSet to_anybody;
    StatusSet to_render;  // ... and these, where the page is made anew without a visitor: they say something of who asks

    // 5xx and 429 (too many requests); to a render, 403.
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
