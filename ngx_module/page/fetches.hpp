// The fragments of a page, each fetched by a subrequest. What comes of a fetch is told to the page's tree, and noted for the page's
// header and for keeping the page assembled.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/response/parts_control.hpp"
#include "edge_includes/page_tree.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/request/fragment.hpp"

namespace larder::ngx {

class Fetches;

// One URL being fetched for a page; several places may want it.
struct Fetch final : Include {
    Fetches* all = nullptr;
    esi::FetchId id = 0;
    bool pending = true;
    Ctx* running = nullptr;  // the subrequest for it, until that ends
    std::string_view target;
    std::string_view location;  // where it is now: the target, or where that redirected to
    std::string redirect_to;    // still to be asked
    unsigned redirects = 0;
    esi::IncludeAttributes attributes;  // of the first include that wants it
    // For the page's header: what it says itself, its age, how long it is still fresh here (seconds).
    CacheDirectives said;
    std::int64_t age_s = 0, fresh_left_s = 0;
    bool is_private = false;
    bool purged = false;  // it is older than a purge of it
    Event timer;
    std::optional<near_cache::Zone::Part> part;  // a fresh entry of the near cache, the same for all who share the page

    bool has_room(std::size_t size) override;
    bool has_client() const override;
    bool waits() const override { return attributes.maxwait_ms != 0; }
    std::optional<std::uint32_t> ttl_s() const override;
    bool is_out_of_reach(ngx_http_request_t* r) const override;

    static constexpr const char* event_name = "timer of a fragment";
    void on_timeout();
    void failed() noexcept;
};

class Fetches {
public:
    // The page.
    class Owner {
    public:
        // Something has ended, or has to be asked: the page is to be looked at once more, after all of this turn.
        virtual void wake() = 0;
        // The page is not as it should be: others must not get it as it is.
        virtual void spoilt() = 0;
        virtual void failed() noexcept = 0;

    protected:
        ~Owner() = default;
    };

    // `r` and `ctx` are the page's; all must outlive this.
    Fetches(ngx_http_request_t* r, Ctx* ctx, esi::PageTree& tree, Owner& owner)
        : request_(r), ctx_(ctx), tree_(tree), owner_(owner), fetches_(&tree.budget().memory()) {}
    Fetches(const Fetches&) = delete;
    Fetches& operator=(const Fetches&) = delete;

    // Null, or why the target can't be fetched.
    const char* fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes);
    // Asks for what redirects lead to.
    void follow();
    bool empty() const { return fetches_.empty(); }

    // The page has no time left: what is not there by now is left out, and nothing more is fetched.
    void run_out_of_time();
    // The page's client has left. Others may wait for what fragments fill, so these fills go on, and whatever is for this page alone
    // ends. False if nothing goes on.
    bool go_on_unseen();
    bool is_unseen() const { return unseen_; }
    // The page has ended. What still runs for it finds that.
    void end();
    bool is_over() const { return stage_ == Stage::over; }

    // What those behind us may do with the page, as far as its parts are known.
    PartsControl control() const;
    // Adds cookies of fragments to the page's header, where the operator wants them to reach visitors.
    void add_cookies();
    // Whether a fragment may still set such a cookie.
    bool waits_for_cookies() const;
    // The entries of the near cache that the page is made of. Nothing if one of its parts is no such entry.
    std::optional<std::vector<near_cache::Zone::Part>> parts() const;

private:
    friend struct Fetch;
    enum class Stage : std::uint8_t { open, out_of_time, over };

    static ngx_int_t on_end(ngx_http_request_t* r, void* data, ngx_int_t rc);

    template <typename F>
    void each(F f) const {
        for (const auto& fetch : fetches_) {
            if (fetch != nullptr) f(*fetch);
        }
    }
    bool start(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes);
    bool ask(Fetch& fetch, std::string_view target);
    bool redirect(Fetch& fetch, std::string_view location);
    void take(Fetch& fetch, ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);
    void note(Fetch& fetch, ngx_http_request_t* r, const Ctx* ctx);
    void take_cookies(ngx_http_request_t* r);
    void lost(Fetch& fetch, std::uint16_t status);
    void arrived(Fetch& fetch, std::string_view body, std::string_view plan);
    void ended(Fetch& fetch);
    bool has_room(const Fetch& fetch, std::size_t size);
    // Whether fragments are limited to what the page's visitor could ask for.
    bool confines() const { return ctx_->conf->esi_includes.value().empty(); }
    ngx_log_t* log() const { return request_->connection->log; }

    ngx_http_request_t* request_;
    Ctx* ctx_;
    esi::PageTree& tree_;
    Owner& owner_;
    std::pmr::vector<esi::InPageMemory<Fetch>> fetches_;  // by their ids; null: a part of the page itself
    std::vector<std::string> cookies_;
    Stage stage_ = Stage::open;
    bool unseen_ = false;
};

}  // namespace larder::ngx
