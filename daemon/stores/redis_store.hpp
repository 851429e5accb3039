// A store in Redis. Names and shared scripts: cache/wire/redis_scripts.hpp. A purge regenerates only entries whose policy
// is stored; others are regenerated when a visitor requests them. One name is used by larderd alone:
//
//   PREFIX{purge}walker        string  name of the daemon that turns pending purges into jobs, with a TTL (5 s)
#pragma once

#include <atomic>

#include "cache/wire/store_names.hpp"
#include "daemon/redis_client.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

class RedisStore : public Store {
public:
    RedisStore(std::shared_ptr<RedisClient> redis, const std::string& prefix);

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
    void tell_kept(std::uint64_t sequence) override;
    std::uint64_t identity() override;
    std::uint64_t newest_purge_of(std::uint64_t hash, PurgeMode mode) override;
    std::uint64_t purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                        std::string_view position) override;
    std::vector<Purge> pending(std::size_t most) override;
    void settle(const Purge& purge) override;

private:
    bool is_walker();
    void note_clock(std::int64_t ahead_ms);

    std::shared_ptr<RedisClient> redis_;
    const StoreNames names_;
    const std::string sequence_, log_, pending_, walker_, positions_;
    const std::string self_;
    std::atomic<bool> differs_ = false;  // Redis's clock differs from ours by 2 s or more; to log changes once
};

}  // namespace larder::daemon
