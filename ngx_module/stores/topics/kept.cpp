// larderd reads the log ten times a second, so ask a little more often.
#include "ngx_module/stores/topics/kept.hpp"

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cache/wire/redis_wire.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/stores/nodes/registry.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr ngx_msec_t pause_ms = 25;
constexpr ngx_msec_t longest_ms = 2000;

class Wait {
public:
    static void start(const StoreConf& store, std::uint64_t sequence, std::function<void(bool)> handler) {
        auto wait = std::make_shared<Wait>(store, sequence, std::move(handler));
        wait->self_ = wait;
        wait->ask();
    }

    Wait(const StoreConf& store, std::uint64_t sequence, std::function<void(bool)> handler)
        : store_(store), sequence_(sequence), handler_(std::move(handler)) {
        timer_.bind<&Wait::ask>(this, ngx_cycle->log);
    }

    void ask() {
        auto [name, node] = place_of(store_, &StoreNames::purge, "kept");
        if (node == nullptr) return end(false);
        std::string command;
        redis_command(command, {"GET", name});
        node->send(command, 1, [wait = self_](const Reply* reply) {
            bool has_value = reply != nullptr && reply->kind == Reply::Kind::bytes;
            wait->take(has_value ? std::optional(reply->text) : std::nullopt);
        });
    }

    static constexpr const char* event_name = "purge that is to be kept";
    void failed() noexcept { end(false); }

private:
    void take(std::optional<std::string_view> kept) {
        if (self_ == nullptr) return;
        std::uint64_t up_to = 0;
        bool somebody_keeps = kept && std::from_chars(kept->data(), kept->data() + kept->size(), up_to).ec == std::errc();
        if (!somebody_keeps) return end(!began_with_keeper_);
        if (up_to >= sequence_) return end(true);
        began_with_keeper_ = true;
        if (ngx_current_msec - began_ >= longest_ms) return end(false);
        timer_.start_timer(pause_ms);
    }

    void end(bool kept) {
        std::shared_ptr<Wait> last = std::exchange(self_, nullptr);
        if (last != nullptr) handler_(kept);
    }

    const StoreConf& store_;
    const std::uint64_t sequence_;
    const std::function<void(bool)> handler_;
    const ngx_msec_t began_ = ngx_current_msec;
    bool began_with_keeper_ = false;
    Event timer_;
    std::shared_ptr<Wait> self_;
};

}  // namespace

void when_kept(const StoreConf& store, std::uint64_t sequence, std::function<void(bool)> handler) {
    if (store.endpoint.kind != StoreKind::redis) return handler(true);  // memcached's log recovers lost purges by itself
    Wait::start(store, sequence, std::move(handler));
}

}  // namespace larder::ngx
