// larder_group: which group a session belongs to. The backend is asked with the session's cookies, and its answer is
// stored for that session alone. Pages are keyed by the group instead of the session.
#pragma once

#include <string>

#include "cache/entry.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// One question for a group. In the pool of the request that asks.
struct Group {
    enum class State : std::uint8_t { pending, known, failed };

    const GroupRule* rule = nullptr;
    State state = State::pending;
    std::string name;  // if known; empty: the session has no group
    std::string tag;   // the tag of the entry with the session's answer
    Ctx* asker = nullptr;
    Event timer;

    static constexpr const char* event_name = "group";
    void on_timeout();
    void failed() noexcept;
};

// Finds the group of the request's session and sets ctx->group, if the location has larder_group and the request has
// a session. A fragment uses the answer that its page got. False: the question is pending; suspend the request, it
// will be resumed. True: known, failed, or not wanted. Precondition: build_variant() has succeeded.
bool find_group(ngx_http_request_t* r, Ctx* ctx);

// Policy of the subrequest that asks, once it is in its location: its answer is for one session, and is not served
// stale unless larder_group says so (error=).
void apply_group(Ctx* ctx);
// Tags the entry of the answer with the session, so that it can be purged with it. Leaves it no stale window for
// refreshes.
void bind_to_session(Group& group, EntryParts& parts);

// Call this when an answer's header is about to be sent. If the answer may have ended or changed the request's
// session, purges the session's group in all stores, so that the next request asks again.
void forget_group_after(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
