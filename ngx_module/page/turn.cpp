// nginx has no word for a turn: an event posted for the next one says that this one is over.
#include "ngx_module/page/turn.hpp"

#include <algorithm>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

namespace {

constexpr std::uint64_t turn_work = 30'000;  // about 3 ms
constexpr std::uint64_t least_slice = 1'000;

std::uint64_t left = turn_work;
ngx_event_t next_turn{};

}  // namespace

std::uint64_t next_slice() {
    return std::max(left, least_slice);
}

void end_slice(std::uint64_t work) {
    left -= std::min(work, left);
    if (next_turn.posted) return;
    next_turn.handler = [](ngx_event_t*) { left = turn_work; };  // never throws
    next_turn.log = ngx_cycle->log;
    ngx_post_event(&next_turn, &ngx_posted_next_events);
}

}  // namespace larder::ngx
