// The fragments of a page, each fetched by a subrequest. The outcome of a fetch is given to the page's tree, and
// noted for the page's header and for keeping the assembled page.
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

// One URL fetched for a page. Several includes may use it.
struct Fetch final : Include {
    Fetches* all = nullptr;
    esi::FetchId id = 0;
    bool pending = true;
    Ctx* running = nullptr;  // its subrequest; null: not running
    std::string_view target;
    std::string_view location;  // the target, or where its redirects have led so far
    std::string redirect_to;    // redirect that is to be followed
    unsigned redirects = 0;
    esi::IncludeAttributes attributes;  // of the first include of this URL
    // For the page's header: the fragment's own directives; its age, and how long it remains fresh, in seconds.
    CacheDirectives said;
    std::int64_t age_s = 0, fresh_left_s = 0;
    bool is_private = false;
    bool purged = false;  // older than a purge of it
    Event timer;
    // Set if the fragment is a fresh entry of the near cache, the same for everybody who shares the page
    std::optional<near_cache::Zone::Part> part;

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
    // Implemented by the page.
    class Owner {
    public:
        // A fetch has ended or has to be followed: process the page at the end of this turn.
        virtual void wake() = 0;
        // The page lacks something, so it must not be kept for others.
        virtual void spoilt() = 0;
        virtual void failed() noexcept = 0;

    protected:
        ~Owner() = default;
    };

    // `r` and `ctx` are the page's. All arguments must outlive this object.
    Fetches(ngx_http_request_t* r, Ctx* ctx, esi::PageTree& tree, Owner& owner)
        : request_(r), ctx_(ctx), tree_(tree), owner_(owner), fetches_(&tree.budget().memory()) {}
    Fetches(const Fetches&) = delete;
    Fetches& operator=(const Fetches&) = delete;

    // Fetches `target`. Returns null, or why it can't be fetched.
    const char* fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes& attributes);
    // Starts the fetches of redirects' targets.
    void follow();
    bool empty() const { return fetches_.empty(); }

    // The page's time is over: leaves out what is missing, and refuses further fetches.
    void run_out_of_time();
    // The page's client has left. Fills of fragments go on, as others may wait for them; subrequests that serve only
    // this page end. False if nothing goes on.
    bool go_on_unseen();
    bool is_unseen() const { return unseen_; }
    // Ends all fetches; those that are still running are abandoned.
    void end();
    bool is_over() const { return stage_ == Stage::over; }

    // What caches behind us may do with the page, as far as its fragments are known.
    PartsControl control() const;
    // Adds to the page's header those cookies of fragments that larder_esi_set_cookie names.
    void add_cookies();
    // Whether a pending fragment may still set such a cookie.
    bool waits_for_cookies() const;
    // The near cache entries that the page consists of. nullopt if a fragment is no such entry.
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
    // Whether includes are limited to what the page's visitor could request.
    bool confines() const { return ctx_->conf->esi_includes.value().empty(); }
    ngx_log_t* log() const { return request_->connection->log; }

    ngx_http_request_t* request_;
    Ctx* ctx_;
    esi::PageTree& tree_;
    Owner& owner_;
    std::pmr::vector<esi::InPageMemory<Fetch>> fetches_;  // indexed by id; null: a part of the page itself
    std::vector<std::string> cookies_;
    Stage stage_ = Stage::open;
    bool unseen_ = false;
};

}  // namespace larder::ngx
