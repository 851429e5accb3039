// A store in memcached. Names of its items: cache/wire/memcached_names.hpp.
//
// memcached has no sets, so the index from tags to keys is in this daemon's memory, and has only the pages that this
// daemon rendered. Pages that nginx or other daemons stored also become stale by a purge, but are regenerated only when a
// visitor requests them.
#pragma once

#include <deque>
#include <map>
#include <mutex>

#include "cache/wire/store_names.hpp"
#include "daemon/memcached_client.hpp"
#include "daemon/stores/store.hpp"
#include "daemon/stores/tag_index.hpp"

namespace larder::daemon {

class MemcachedStore : public Store {
public:
    MemcachedStore(const std::vector<HostPort>& servers, std::chrono::milliseconds timeout,
                   const std::string& prefix);

    std::uint64_t newest_purge() override;
    std::vector<std::string> newest_positions() override;
    void replace_position(const std::string& position, const std::string& by) override;
    PurgeSeen purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) override;
    std::vector<LoggedPurge> logged_after(std::uint64_t sequence) override;
    std::optional<std::string> get(std::string_view key) override;
    std::optional<std::string> get_start(std::string_view key, std::size_t size) override;
    bool put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) override;
    void remove(std::string_view key) override;
    void index(std::string_view key, const std::vector<std::uint64_t>& hashes, std::string_view policy,
               std::chrono::milliseconds lifetime) override;
    void forget(std::string_view key, std::uint64_t hash) override;
    KeyPage keys_under(std::uint64_t hash, const std::string& from) override;
    std::optional<Policy> policy(std::string_view key) override;
    std::string incarnation() override;
    std::uint64_t identity() override;
    std::uint64_t newest_purge_of(std::uint64_t hash, PurgeMode mode) override;
    std::uint64_t purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                        std::string_view position) override;
    std::vector<Purge> pending(std::size_t most) override;
    void settle(const Purge& purge) override;

private:
    struct Record {
        std::uint64_t sequence = 0;  // see PurgeLine::sequence
        std::uint64_t drawn = 0;     // the number in the line
        std::uint64_t hash = 0;
        bool floor = false;
        PurgeMode mode = PurgeMode::soft;
    };

    std::vector<Record> read_log();
    void append(const std::string& lines);
    static std::vector<Record> parse_log(std::string_view text);
    bool knows_more_than(std::string_view text, const std::vector<Record>& records);
    std::uint64_t next_sequence();
    void look_for_pending();

    MemcachedClient client_;
    const StoreNames names_;
    const std::string log_;
    TagIndex tags_;

    std::mutex mutex_;  // guards what follows
    std::uint64_t last_sequence_ = 0;  // the greatest that was read or drawn here
    std::string first_line_;           // of the log, when last read; changes when the log is replaced
    std::map<std::uint64_t, std::string> positions_;  // of this daemon's purges, by the number in their line
    std::deque<Purge> pending_;
    std::uint64_t seen_ = 0;  // the newest purge that was added to pending_
    UnixMs next_look_ms_ = 0;
};

}  // namespace larder::daemon
