// A store in memory that does as it is told.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/stores/store.hpp"

namespace larder::daemon {

class TestStore : public Store {
public:
    std::uint64_t newest_purge() override {
        if (away) throw std::runtime_error("the store is away");
        return 0;
    }
    std::vector<std::string> newest_positions() override { return {}; }
    void replace_position(const std::string&, const std::string&) override {}
    PurgeSeen purges_since(std::uint64_t fence, const std::vector<std::uint64_t>&) override {
        return fence < purged ? PurgeSeen{purged, PurgeMode::soft, 0} : PurgeSeen{};
    }
    std::vector<LoggedPurge> logged_after(std::uint64_t) override { return {}; }
    std::optional<std::string> get(std::string_view key) override {
        auto found = entries.find(key);
        return found == entries.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<std::string> get_start(std::string_view key, std::size_t) override { return get(key); }
    bool put(std::string_view key, std::string_view entry, std::chrono::milliseconds) override {
        if (full) throw TooLarge("too large");
        entries[std::string(key)] = entry;
        return true;
    }
    void remove(std::string_view key) override { entries.erase(std::string(key)); }
    void index(std::string_view, const std::vector<std::uint64_t>&, std::string_view,
               std::chrono::milliseconds) override {}
    void forget(std::string_view, std::uint64_t) override {}
    KeyPage keys_under(std::uint64_t, const std::string&) override { return {}; }
    std::optional<Policy> policy(std::string_view) override { return std::nullopt; }
    std::string incarnation() override { return {}; }
    std::uint64_t identity() override { return own_identity; }
    std::uint64_t newest_purge_of(std::uint64_t, PurgeMode) override { return 0; }
    std::uint64_t purge(const std::vector<std::uint64_t>&, PurgeMode, std::string_view) override { return 1; }
    std::vector<Purge> pending(std::size_t) override { return {}; }
    void settle(const Purge&) override {}

    std::map<std::string, std::string, std::less<>> entries;
    bool away = false, full = false;
    std::uint64_t own_identity = 0;
    std::uint64_t purged = 0;  // of everything: its sequence
};

}  // namespace larder::daemon
