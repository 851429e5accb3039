// What both nginx and larderd tell Redis: which script, with which keys and arguments. The scripts: redis_scripts.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cache/response/verdict.hpp"
#include "cache/wire/redis_wire.hpp"
#include "cache/wire/store_names.hpp"

namespace larder {

// `key`: Key::text(). `policy`: as write_policy() has it.

// Notes the key under each of its tags, and the policy. To be done before the entry is put, so that a purge finds whatever it does
// not precede.
void redis_index(RedisBatch& batch, const StoreNames& names, std::string_view key, std::span<const std::uint64_t> hashes,
                 std::string_view policy, std::int64_t ttl_ms);

// The entry may be given in two pieces. Reply: 1 if it is stored, 0 if a newer one is there.
void redis_put(RedisBatch& batch, std::string_view entry_name, std::string_view entry, std::string_view rest,
               std::int64_t ttl_ms);

// Reply: the sequence, in decimal digits.
void redis_purge(RedisBatch& batch, const StoreNames& names, std::span<const std::uint64_t> hashes, PurgeMode mode,
                 std::string_view position, bool regenerate);

// Reply: a word, as the script says.
void redis_enqueue(RedisBatch& batch, const StoreNames& names, std::string_view key, std::string_view job,
                   std::int64_t delay_ms, bool urgent);

}  // namespace larder
