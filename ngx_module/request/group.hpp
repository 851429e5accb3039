// larder_group: of which group a session is, as the backend says when asked with the session's cookies: once, then kept for
// that session in the near cache. Pages are keyed by the group instead of the session.
#pragma once

#include <string>

#include "cache/entry.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Lives in the pool of the request that asks.
struct Group {
    enum class State : std::uint8_t { pending, known, failed };

    const GroupRule* rule = nullptr;
    State state = State::pending;
    std::string name;  // known: empty if the session is of no group
    std::string tag;   // that what is stored of the session's answer carries
    Ctx* asker = nullptr;
    Event timer;

    static constexpr const char* event_name = "group";
    void on_timeout();
    void failed() noexcept;
};

// Sets ctx->group if the location wants to know it and the request has a session; asks for it, unless another request of the
// same page has. True: it is known, has failed, or is not wanted. False: the request has to be suspended, it will be resumed.
// Precondition: the request may have a variant.
bool find_group(ngx_http_request_t* r, Ctx* ctx);

// The subrequest that asks, once in its location: its answer is for one session, and never served past its time.
void apply_group(Ctx* ctx);
// What is stored of its answer goes with the session.
void bind_to_session(Group& group, EntryParts& parts);

// To be called when an answer's header is about to leave: if it may have ended or changed the request's session, its group is
// asked for anew, on all machines.
void forget_group_after(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
