// The byte layout of a plan, for its writer and its reader. Internal to the engine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larder::esi {

inline constexpr std::uint32_t plan_magic = 0x4953454c;  // "LESI"
inline constexpr std::uint32_t no_string = 0xffffffff;   // a heap offset that stands for "none"

struct PlanHeader {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t flags;  // plan_simple, and Reads from bit 8
    std::uint32_t size;   // of the whole plan, in bytes
    std::uint32_t document_size;
    std::uint32_t ops;
    std::uint32_t includes;
    std::uint32_t inlines;
    std::uint32_t heap_size;
    std::uint32_t checksum;  // CRC-32 of the plan, computed with this field as 0
    std::uint32_t reserved;  // 0
};
static_assert(sizeof(PlanHeader) == 40);
inline constexpr std::uint16_t plan_simple = 1;
inline constexpr unsigned reads_shift = 8;
inline constexpr std::size_t checksum_at = offsetof(PlanHeader, checksum);

struct IncludeRecord {
    std::uint32_t src;  // heap offsets
    std::uint32_t alt;
    std::uint32_t maxwait_ms;
    std::uint32_t ttl_s;
    std::uint32_t flags;
    std::uint32_t reserved;
};
static_assert(sizeof(IncludeRecord) == 24);
enum IncludeFlag : std::uint32_t {
    src_constant = 1,
    alt_constant = 2,
    include_no_store = 4,
    include_continue = 8,
    include_process = 16,
    include_late_client = 32,
    include_all_flags = 63,
};

struct InlineRecord {
    std::uint32_t name;
    std::uint32_t offset;
    std::uint32_t length;
    std::uint32_t flags;
};
static_assert(sizeof(InlineRecord) == 16);
inline constexpr std::uint32_t inline_fetchable = 1;

std::uint32_t plan_checksum(const char* plan, std::size_t size);

}  // namespace larder::esi
