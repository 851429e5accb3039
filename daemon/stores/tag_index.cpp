// known_, keys_ and expiry_ always contain the same keys.
#include "tag_index.hpp"

namespace larder::daemon {

void TagIndex::add(std::string_view key, const std::vector<std::uint64_t>& hashes, std::string_view policy,
                   std::chrono::milliseconds lifetime) {
    std::lock_guard lock(mutex_);
    std::string name(key);
    remove(name);
    UnixMs now = clock_();
    while (!expiry_.empty() && (expiry_.begin()->first <= now || known_.size() >= most_keys_)) {
        remove(std::string(expiry_.begin()->second));
    }
    UnixMs expires = now + lifetime.count();
    for (std::uint64_t hash : hashes) keys_[hash].insert(name);
    expiry_.insert({expires, name});
    known_[name] = {hashes, std::string(policy), expires};
}

void TagIndex::remove(const std::string& key) {
    auto found = known_.find(key);
    if (found == known_.end()) return;
    for (std::uint64_t hash : found->second.hashes) {
        auto keys = keys_.find(hash);
        if (keys == keys_.end()) continue;
        keys->second.erase(key);
        if (keys->second.empty()) keys_.erase(keys);
    }
    expiry_.erase({found->second.expires, key});
    known_.erase(found);
}

void TagIndex::forget(std::string_view key) {
    std::lock_guard lock(mutex_);
    remove(std::string(key));
}

std::vector<std::string> TagIndex::keys(std::uint64_t hash) const {
    std::lock_guard lock(mutex_);
    auto found = keys_.find(hash);
    if (found == keys_.end()) return {};
    return {found->second.begin(), found->second.end()};
}

std::string TagIndex::policy(std::string_view key) const {
    std::lock_guard lock(mutex_);
    auto found = known_.find(std::string(key));
    return found == known_.end() ? std::string() : found->second.policy;
}

std::size_t TagIndex::size() const {
    std::lock_guard lock(mutex_);
    return known_.size();
}

}  // namespace larder::daemon
