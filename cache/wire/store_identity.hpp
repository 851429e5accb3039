// A store's identity. Whoever finds none in the store writes a random one under PREFIXid. nginx puts the identity
// that it found into its jobs, so that larderd notices if [[store]] is another server, database or prefix than
// larder_store.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "cache/request/key.hpp"

namespace larder {

// 16 hexadecimal digits, as read by hash_from_text().
inline std::string new_store_identity() {
    std::random_device random;
    std::uint64_t high = random(), low = random();
    return hash_text(high << 32 | low);
}

}  // namespace larder
