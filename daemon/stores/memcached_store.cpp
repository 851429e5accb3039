// A Store in memcached: the purge log is one item with text lines, to which purges append; entries are replaced by
// compare-and-swap.
#include "memcached_store.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "cache/bytes.hpp"
#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "cache/position.hpp"
#include "cache/wire/memcached_names.hpp"
#include "cache/wire/purge_line.hpp"
#include "cache/wire/store_identity.hpp"

namespace larder::daemon {

namespace {

constexpr std::size_t most_indexed_keys = 200'000;
constexpr std::size_t most_positions = 10'000;
constexpr std::int64_t look_pause_ms = 1000;  // as often as nginx reads the log

// Whether the entry `old` has a higher fence than `fresh`, or the same fence and is younger. False if `old` is no entry.
bool is_newer(std::string_view old, std::string_view fresh) {
    EntryHead a{}, b{};
    if (old.size() < sizeof a || fresh.size() < sizeof b) return false;
    std::memcpy(&a, old.data(), sizeof a);
    std::memcpy(&b, fresh.data(), sizeof b);
    if (a.magic != entry_magic || a.version != entry_version) return false;
    return a.fence > b.fence || (a.fence == b.fence && a.created_ms > b.created_ms);
}

}  // namespace

MemcachedStore::MemcachedStore(const std::vector<HostPort>& servers, std::chrono::milliseconds timeout,
                               const std::string& prefix)
    : client_(servers, timeout), names_(prefix), log_(names_.purge_log()), tags_(most_indexed_keys) {}

// The time in microseconds, or a greater number if a purge from a machine whose clock is ahead was read.
std::uint64_t MemcachedStore::next_sequence() {
    std::lock_guard lock(mutex_);
    last_sequence_ = std::max(static_cast<std::uint64_t>(unix_us()), last_sequence_ + PurgeLine::step);
    return last_sequence_;
}

// Reads the log. If it is missing, it was lost: a new one begins with a floor, which purges everything older. A floor is
// also appended to a log that somebody else has begun who didn't know our newest purge.
std::vector<MemcachedStore::Record> MemcachedStore::read_log() {
    auto item = client_.get(log_);
    if (!item) {
        client_.add(log_, purge_line_text(next_sequence(), "floor", false), std::chrono::milliseconds(0));
        item = client_.get(log_);
    }
    std::string_view text = item ? std::string_view(item->value) : std::string_view();
    std::vector<Record> records = parse_log(text);
    if (knows_more_than(text, records)) {
        client_.append(log_, purge_line_text(next_sequence(), "floor", false));
        if ((item = client_.get(log_))) records = parse_log(item->value);
    }
    std::lock_guard lock(mutex_);
    if (!records.empty()) last_sequence_ = std::max(last_sequence_, records.back().sequence);
    return records;
}

// Whether this log was not read before and its newest purge is older than one that we know.
bool MemcachedStore::knows_more_than(std::string_view text, const std::vector<Record>& records) {
    if (records.empty()) return false;
    std::lock_guard lock(mutex_);
    std::string_view first = text.substr(0, text.find('\n'));
    bool known = first == first_line_;
    first_line_ = first;
    return !known && records.back().sequence < last_sequence_;
}

std::vector<MemcachedStore::Record> MemcachedStore::parse_log(std::string_view text) {
    std::vector<Record> records;
    std::uint64_t last = 0;
    each_purge_line(text, last, [&records](const PurgeLine& line, std::uint64_t sequence) {
        records.push_back({.sequence = sequence,
                           .drawn = line.drawn,
                           .hash = line.hash.value_or(0),
                           .floor = !line.hash,
                           .mode = line.hard ? PurgeMode::hard : PurgeMode::soft});
    });
    return records;
}

std::uint64_t MemcachedStore::newest_purge() {
    std::vector<Record> records = read_log();
    return records.empty() ? 0 : records.back().sequence;
}

// Only for this daemon's purges, as lines of the log have no position.
std::vector<std::string> MemcachedStore::newest_positions() {
    std::lock_guard lock(mutex_);
    std::vector<std::string> positions;
    for (const auto& [sequence, position] : positions_) {
        auto same = std::find_if(positions.begin(), positions.end(), [&](const std::string& known) {
            return replicas::same_database(known, position);
        });
        if (same == positions.end()) positions.push_back(position);
        else *same = replicas::later_position(*same, position);
    }
    return positions;
}

void MemcachedStore::replace_position(const std::string& position, const std::string& by) {
    std::lock_guard lock(mutex_);
    for (auto& [sequence, known] : positions_) {
        if (known == position) known = by;
    }
}

PurgeSeen MemcachedStore::purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) {
    PurgeSeen seen;
    for (const Record& record : read_log()) {
        bool named = record.floor || std::find(hashes.begin(), hashes.end(), record.hash) != hashes.end();
        if (record.sequence <= fence || !named) continue;
        seen.sequence = std::max(seen.sequence, record.sequence);
        if (seen.mode != PurgeMode::hard) seen.mode = record.mode;
    }
    seen.at_ms = static_cast<std::int64_t>(seen.sequence / 1000);
    return seen;
}

std::vector<LoggedPurge> MemcachedStore::logged_after(std::uint64_t sequence) {
    std::vector<LoggedPurge> purges;
    for (const Record& record : read_log()) {
        if (record.sequence > sequence && !record.floor) purges.push_back({record.sequence, record.hash, record.mode});
    }
    return purges;
}

std::optional<std::string> MemcachedStore::get(std::string_view key) {
    auto item = client_.get(names_.entry(key));
    return item ? std::optional(std::move(item->value)) : std::nullopt;
}

std::optional<std::string> MemcachedStore::get_start(std::string_view key, std::size_t size) {
    auto bytes = get(key);
    if (bytes && bytes->size() > size) bytes->resize(size);
    return bytes;
}

bool MemcachedStore::put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) {
    std::string name = names_.entry(key);
    for (;;) {
        auto old = client_.get(name);
        if (old && is_newer(old->value, entry)) return false;
        if (old ? client_.replace(name, entry, lifetime, old->cas) : client_.add(name, entry, lifetime))
            return true;
    }
}

void MemcachedStore::remove(std::string_view key) {
    client_.remove(names_.entry(key));
    tags_.forget(key);
}

void MemcachedStore::index(std::string_view key, const std::vector<std::uint64_t>& hashes,
                           std::string_view policy, std::chrono::milliseconds lifetime) {
    tags_.add(key, hashes, policy, lifetime);
}

void MemcachedStore::forget(std::string_view key, std::uint64_t) {
    tags_.forget(key);
}

KeyPage MemcachedStore::keys_under(std::uint64_t hash, const std::string&) {
    return {tags_.keys(hash), {}};
}

std::optional<Policy> MemcachedStore::policy(std::string_view key) {
    std::string bytes = tags_.policy(key);
    ByteReader in(bytes);
    return read_policy(in);
}

void MemcachedStore::append(const std::string& lines) {
    if (auto log = client_.get(log_); log && log->value.size() + lines.size() > max_purge_log_bytes) {
        // The new log has a floor alone, which purges everything. If the swap fails, somebody else has just written the
        // log; in a race, it may then exceed the limit by a few lines.
        client_.replace(log_, purge_line_text(next_sequence(), "floor", false), std::chrono::milliseconds(0),
                        log->cas);
    }
    while (!client_.append(log_, lines)) {
        client_.add(log_, purge_line_text(next_sequence(), "floor", false), std::chrono::milliseconds(0));
    }
}

std::uint64_t MemcachedStore::identity() {
    std::string name = names_.identity();
    client_.add(name, new_store_identity(), std::chrono::milliseconds(0));
    auto item = client_.get(name);
    return item ? hash_from_text(item->value).value_or(0) : 0;
}

std::string MemcachedStore::incarnation() {
    return {};
}

std::uint64_t MemcachedStore::newest_purge_of(std::uint64_t hash, PurgeMode mode) {
    std::uint64_t newest = 0;
    for (const Record& record : read_log()) {
        bool named = record.floor || record.hash == hash;
        if (named && (mode == PurgeMode::soft || record.mode == PurgeMode::hard))
            newest = std::max(newest, record.sequence);
    }
    return newest;
}

std::uint64_t MemcachedStore::purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                                    std::string_view position) {
    newest_purge();  // so that next_sequence() is above it
    std::string lines;
    std::uint64_t sequence = 0;
    for (std::uint64_t hash : hashes) {
        sequence = next_sequence();
        lines += purge_line_text(sequence, hash_text(hash), mode == PurgeMode::hard);
        if (position.empty()) continue;
        std::lock_guard lock(mutex_);
        positions_[sequence] = position;
        if (positions_.size() > most_positions) positions_.erase(positions_.begin());
    }
    append(lines);
    return sequence;
}

void MemcachedStore::look_for_pending() {
    std::vector<Record> records = read_log();
    std::lock_guard lock(mutex_);
    if (seen_ == 0 && !records.empty())
        seen_ = records.back().sequence;  // at the first call the index is empty, so these purges name no page in it
    std::uint64_t newest = seen_;
    for (const Record& record : records) {
        if (record.sequence <= seen_ || record.floor) continue;
        auto position = positions_.find(record.drawn);
        pending_.push_back(
            {record.sequence, record.hash, position == positions_.end() ? "" : position->second});
        newest = std::max(newest, record.sequence);
    }
    seen_ = newest;
}

std::vector<Purge> MemcachedStore::pending(std::size_t most) {
    UnixMs now = unix_ms();
    bool look = false;
    {
        std::lock_guard lock(mutex_);
        look = pending_.empty() && now >= next_look_ms_;
        if (look) next_look_ms_ = now + look_pause_ms;
    }
    if (look) look_for_pending();
    std::lock_guard lock(mutex_);
    return {pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(std::min(most, pending_.size()))};
}

void MemcachedStore::settle(const Purge& purge) {
    std::lock_guard lock(mutex_);
    std::erase_if(pending_, [&](const Purge& known) {
        return known.sequence == purge.sequence && known.hash == purge.hash;
    });
}

}  // namespace larder::daemon
