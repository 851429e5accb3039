// The states of a link (link.hpp) and what each event does in each of them, as a table. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larder::ngx {

enum class LinkState : std::uint8_t {
    idle,     // never connected
    opening,  // first connection under way: connecting, or waiting for the answer to the greeting
    up,       // the server answered the greeting, and its latest probe, well
    down,     // lost; a timer runs until the next try
    probing,  // trying again: as opening, but no request waits for it
};

enum class LinkEvent : std::uint8_t {
    wanted,    // somebody asks for a connection
    welcomed,  // the greeting was answered without an error, at one of the addresses
    lost,      // at the last of the addresses: no connection, refused, closed, silent for too long, not the protocol
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

// Whether requests may be given to the link. In `opening` it holds them back until the greeting is answered: what is sent
// behind a refused SELECT would be done in another database. Once a connection was lost, requests don't pay for finding out
// whether the server is back.
constexpr bool takes_requests(LinkState state) {
    return state != LinkState::down && state != LinkState::probing;
}

constexpr bool has_connection(LinkState state) {
    return state == LinkState::opening || state == LinkState::up || state == LinkState::probing;
}

}  // namespace larder::ngx
