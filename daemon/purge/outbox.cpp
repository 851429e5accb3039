// A purge goes into kept_ first, then into the log, then into the stores. In this order, neither a crash at any point nor
// a rewrite of the log from kept_ can lose a purge that a store has taken.
#include "outbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_set>

namespace larder::daemon {

namespace {

constexpr std::chrono::milliseconds look_pause{100};
constexpr std::size_t spare_file_bytes = 1 << 20;

}  // namespace

Outbox::Outbox(const PurgeSettings& settings, const Stores& stores, Metrics& metrics)
    : keep_for_(settings.keep),
      most_bytes_(static_cast<std::size_t>(settings.max_size.bytes)),
      metrics_(metrics),
      log_(settings.directory) {
    for (const auto& [name, store] : stores) addressees_.push_back({.name = name, .store = store.get()});
    remember(log_.take());
    ticker_ = std::make_unique<Ticker>(look_pause, [this] { tick(); });
}

// Takes over the purges that an earlier larderd has accepted. Stores that are no longer configured are forgotten.
void Outbox::remember(std::vector<AcceptedPurge> purges) {
    for (AcceptedPurge& found : purges) {
        std::erase_if(found.sequences, [this](const auto& taken) {
            return std::none_of(addressees_.begin(), addressees_.end(),
                                [&](const Addressee& to) { return to.name == taken.first; });
        });
        auto purge = std::make_shared<AcceptedPurge>(std::move(found));
        for (Addressee& to : addressees_) {
            if (purge->sequences.count(to.name) == 0) to.waiting.push_back(purge);
        }
        last_id_ = std::max(last_id_, purge->id);
        bytes_ += purge->bytes();
        kept_.push_back(std::move(purge));
    }
}

PurgeReceipt Outbox::purge(const PurgeOrder& order) {
    auto purge = std::make_shared<AcceptedPurge>();
    purge->accepted_ms = unix_ms();
    purge->order = order;
    const bool kept = keep(purge);
    const bool durable = kept && log_.accepted(*purge);
    PurgeReceipt receipt;
    for (Addressee& to : addressees_) {
        try {
            receipt.sequence = std::max(receipt.sequence, deliver(to, *purge));
        } catch (const std::exception& error) {
            spdlog::error("a purge waits for store {}: {}", to.name, error.what());
            std::lock_guard lock(mutex_);
            if (kept) to.waiting.push_back(purge);
            receipt.waiting++;
        }
    }
    if (!kept) receipt.refused = "too many purges wait for a store that is away (purge.max_size)";
    else if (!durable) receipt.refused = "purge.directory can't be written";
    metrics_.purge(order.hashes.size());
    return receipt;
}

// Returns false when there is no room. Purges that every store has are dropped to make room, others never.
bool Outbox::keep(const Kept& purge) {
    std::lock_guard lock(mutex_);
    while (bytes_ + purge->bytes() > most_bytes_) {
        auto old = std::find_if(kept_.begin(), kept_.end(), [this](const Kept& known) { return is_delivered(*known); });
        if (old == kept_.end()) return false;
        bytes_ -= (*old)->bytes();
        kept_.erase(old);
    }
    purge->id = ++last_id_;
    bytes_ += purge->bytes();
    kept_.push_back(purge);
    return true;
}

bool Outbox::is_delivered(const AcceptedPurge& purge) const {
    return purge.sequences.size() == addressees_.size();
}

std::uint64_t Outbox::deliver(Addressee& to, AcceptedPurge& purge) {
    std::uint64_t sequence = to.store->purge(purge.order.hashes, purge.order.mode, purge.order.position);
    {
        std::lock_guard lock(mutex_);
        purge.sequences[to.name] = sequence;
    }
    if (purge.id != 0) log_.delivered(purge.id, to.name, sequence);
    return sequence;
}

std::size_t Outbox::waiting() const {
    std::lock_guard lock(mutex_);
    std::size_t all = 0;
    for (const Addressee& to : addressees_) all += to.waiting.size();
    return all;
}

void Outbox::tick() {
    for (Addressee& to : addressees_) {
        try {
            look_after(to);
            to.away = false;
        } catch (const std::exception& error) {
            if (!to.away) spdlog::error("store {} can't be looked after: {}", to.name, error.what());
            to.away = true;
        }
    }
    forget_old();
}

void Outbox::look_after(Addressee& to) {
    deliver_waiting(to);
    std::string incarnation = to.store->incarnation();
    if (incarnation.empty()) return;
    adopt(to);
    if (log_.is_on_disk()) to.store->tell_kept(log_.works() ? to.read_up_to : 0);
    if (incarnation == to.incarnation) return;
    recover(to);
    to.incarnation = incarnation;
    to.read_up_to = 0;
}

void Outbox::deliver_waiting(Addressee& to) {
    for (;;) {
        Kept next;
        {
            std::lock_guard lock(mutex_);
            if (to.waiting.empty()) return;
            next = to.waiting.front();
        }
        deliver(to, *next);
        std::lock_guard lock(mutex_);
        to.waiting.pop_front();  // still `next`: only this thread removes; the API's threads append
    }
}

// Reads the store's log, and keeps the purges that nginx or another larderd has written there. They need not be delivered
// to other stores: whoever made them has written them to each.
void Outbox::adopt(Addressee& to) {
    const auto oldest = static_cast<std::uint64_t>((unix_ms() - keep_for_.count()) * 1000);
    std::vector<LoggedPurge> logged = to.store->logged_after(std::max(to.read_up_to, oldest));
    if (logged.empty()) return;
    const std::uint64_t newest = logged.back().sequence;
    std::vector<Kept> adopted;
    {
        std::lock_guard lock(mutex_);
        std::unordered_set<std::uint64_t> known;
        for (const Kept& purge : kept_) {
            if (auto given = purge->sequences.find(to.name); given != purge->sequences.end()) known.insert(given->second);
        }
        std::erase_if(logged, [&known](const LoggedPurge& purge) { return known.count(purge.sequence) != 0; });
    }
    for (const LoggedPurge& purge : logged) {
        bool same = !adopted.empty() && adopted.back()->sequences[to.name] == purge.sequence && adopted.back()->order.mode == purge.mode;
        if (!same) {
            auto made = std::make_shared<AcceptedPurge>();
            made->accepted_ms = static_cast<UnixMs>(purge.sequence / 1000);
            made->order.mode = purge.mode;
            for (const Addressee& store : addressees_) made->sequences[store.name] = 0;
            made->sequences[to.name] = purge.sequence;
            adopted.push_back(std::move(made));
        }
        adopted.back()->order.hashes.push_back(purge.hash);
    }
    std::size_t without_room = std::erase_if(adopted, [this](const Kept& purge) { return !keep(purge); });
    log_.adopted(adopted);
    if (without_room == 0) to.read_up_to = newest;
}

// The store may have lost purges that it had taken: delivers those again. Starts with the newest, which are the likeliest
// to be lost.
void Outbox::recover(Addressee& to) {
    std::vector<std::pair<Kept, std::uint64_t>> taken;
    {
        std::lock_guard lock(mutex_);
        for (const Kept& purge : kept_) {
            if (auto found = purge->sequences.find(to.name); found != purge->sequences.end())
                taken.emplace_back(purge, found->second);
        }
    }
    std::size_t lost = 0;
    for (auto at = taken.rbegin(); at != taken.rend(); ++at) {
        const auto& [purge, sequence] = *at;
        // A store records all hashes of a purge atomically, so it is enough to look for one.
        if (to.store->newest_purge_of(purge->order.hashes.front(), purge->order.mode) >= sequence) continue;
        deliver(to, *purge);
        lost++;
    }
    if (lost == 0) return;
    spdlog::warn("store {} came back without {} purges: they were made again", to.name, lost);
    metrics_.purges_repeated(lost);
}

void Outbox::forget_old() {
    UnixMs old_ms = unix_ms() - keep_for_.count();
    std::lock_guard lock(mutex_);
    if (!kept_.empty() && kept_.front()->accepted_ms < old_ms) {
        std::erase_if(kept_, [&](const Kept& purge) {
            bool over = purge->accepted_ms < old_ms && is_delivered(*purge);
            if (over) bytes_ -= purge->bytes();
            return over;
        });
    }
    log_.tidy(kept_, 2 * bytes_ + spare_file_bytes);
}

}  // namespace larder::daemon
