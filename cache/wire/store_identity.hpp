// A store says which one it is: whoever finds no identity in it writes a random one there, under PREFIXid. nginx puts what it found
// into its jobs, so that larderd sees when [[store]] is another server, database or prefix than larder_store.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "cache/request/key.hpp"

namespace larder {

inline std::string store_identity_name(const std::string& prefix) {
    return prefix + "id";
}

// 16 hex digits: hash_from_text() reads them.
inline std::string new_store_identity() {
    std::random_device random;
    std::uint64_t high = random(), low = random();
    return hash_text(high << 32 | low);
}

}  // namespace larder
