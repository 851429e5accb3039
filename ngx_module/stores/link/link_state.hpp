// The states of a link (link.hpp), and the transition for each event, as a table. A pure function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larder::ngx {

enum class LinkState : std::uint8_t {
    idle,     // never connected
    opening,  // first connection: connecting, or waiting for the answer to the greeting
    up,       // the greeting, and the latest probe, were answered well
    down,     // lost; a timer runs until the next attempt
    probing,  // reconnecting: like opening, but no request waits for it
};

enum class LinkEvent : std::uint8_t {
    wanted,    // a connection is requested
    welcomed,  // one of the addresses has answered the greeting without an error
    lost,      // at the last of the addresses: no connection, refused, closed, silent for too long, protocol error
    retry,     // the pause after a loss is over
};

constexpr LinkState next_state(LinkState state, LinkEvent event) {
    using enum LinkState;
    constexpr LinkState table[5][4] = {
        //  wanted   welcomed lost  retry
        {opening, idle, down, idle},        // idle
        {opening, up, down, opening},       // opening
        {up, up, down, up},                 // up
        {down, down, down, probing},        // down
        {probing, up, down, probing},       // probing
    };
    return table[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

// Whether requests may be given to the link. In `opening` it holds them back until the greeting is answered, because
// after a refused SELECT they would be executed in another database. After a loss, requests don't wait to find out
// whether the server is back.
constexpr bool takes_requests(LinkState state) {
    return state != LinkState::down && state != LinkState::probing;
}

constexpr bool has_connection(LinkState state) {
    return state == LinkState::opening || state == LinkState::up || state == LinkState::probing;
}

}  // namespace larder::ngx
