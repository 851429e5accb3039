// What Larder knows of one request or subrequest while it runs: the context, which all files of request/ and page/ work on.
//
// The context lives in the request's pool and ends with it. docs/life-of-a-request.md tells the order in which it is used:
// phase_lookup.cpp looks for an entry; serve.cpp answers from one; fill.cpp sends the request on and captures the answer;
// refresh.cpp makes a page anew in the background; page/page.cpp assembles the pages that have fragments.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/request/key.hpp"
#include "cache/request/request_control.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/forecast.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/at_hand.hpp"
#include "ngx_module/turn.hpp"

namespace larder::ngx {

struct Detached;
struct Fill;
struct FillClaim;
struct Group;
struct LateEnd;
class FillWait;
class Include;
class Page;
class Renewal;

enum class Role : std::uint8_t {
    client,    // a request from outside, or another module's subrequest
    fragment,  // ours, for an include or a group: its answer goes to another request, not to the client
    refresh,   // ours, without a client: its answer goes to the cache alone
};

enum class Status : std::uint8_t {
    none,
    hit,
    stale,
    miss,
    revalidated,
    coalesced,
    bypass,
    pass,
    error_stale,
    error
};
const char* status_text(Status status);

// What the client gets in the place of the backend's answer.
struct Substitute {
    Status status;
    ngx_int_t error = 0;  // 0: the entry at hand; else the error that this is
};

// After a refresh that failed the next one waits for so long, unless the site asks for more.
inline constexpr std::int64_t refresh_retry_ms = 1000;

struct Ctx {
    const LocConf* conf = nullptr;
    Role role = Role::client;
    Status status = Status::none;
    const char* detail = nullptr;  // for Cache-Status
    bool eligible = false;         // has a variant
    bool begun = false;            // all that the variant depends on is known
    bool asked_store = false;
    bool served = false;  // the answer comes from `entry`
    bool stored = false;  // what the backend sent is in the near cache, or on its way to a store
    bool suspended = false;
    std::unique_ptr<FillClaim> claim;  // to fill the key; once the fill begins, the fill has the permit
    Key key;
    Key base;  // varied: the key without the headers that the answer turned out to vary on
    bool varied = false;
    bool by_coding = false;  // ... one of them is Accept-Encoding
    bool part = false;  // looking for a named part of another page, by its key
    bool part_tried = false;
    bool passes = false;  // part: answers to the request itself are known to be unstorable
    Key own_key;          // part: of the request itself
    ngx_str_t own_variant{};
    AtHand own_entry;     // ... good only to ask the backend about it
    ngx_str_t variant{};      // encoded
    bool personal = false;    // it is one person's
    bool near_only = false;   // ... and kept in no store
    std::optional<near_cache::Kinds> kinds;  // of the page, once the forecast was asked
    bool guessed = false;     // the request goes in full because of it
    bool session = false;     // the visitor has a session, of which the variant holds nothing
    bool authorized = false;  // ... or credentials, of which it holds no more than that
    std::string cookies;      // refresh: the Cookie field to send
    std::shared_ptr<Renewal> renewal;  // ... that somebody waits for
    std::string csrf_secret;  // of the cookie that the visitor gets with this answer
    AtHand entry;
    std::optional<near_cache::Check> check;  // the store is to be asked for a newer one
    RequestControl wishes;     // the client's, as far as they are honoured
    bool wants_newer = false;  // ... for which the fresh entry at hand won't do
    std::unique_ptr<Fill> fill;     // in progress, or what a page is made from
    std::unique_ptr<Fill> retired;  // it ended without an answer; nginx may still be in its calls
    std::int64_t retry_ms = refresh_retry_ms;  // refresh: when it fails, how long until the next one
    std::optional<Substitute> substitute;  // about to begin
    Event substitution;
    std::optional<Policy> own_policy;  // fragment: the location's, as the include changes it
    ngx_http_handler_pt content_handler = nullptr;       // the location's, while ours stands in its place
    ngx_http_event_handler_pt on_client_read = nullptr;  // nginx's, while the client is not looked at
    const char* no_store = nullptr;    // why the answer is not to be kept, whatever it says
    Page* page = nullptr;              // being assembled
    Include* include = nullptr;        // fragment: what it is for
    Group* asked_group = nullptr;      // ... or the session whose group it is to tell
    Detached* detached = nullptr;      // once there is one
    Group* group = nullptr;            // of the visitor; null: not wanted, or there is no session
    std::unique_ptr<FillWait> fill_wait;  // once the request has waited for another's fill
    TurnPlace place;                   // while there is more to do than one turn has room for
    LateEnd* late_end = nullptr;  // of a subrequest of ours (subrequest.cpp)
    ngx_http_request_t* request = nullptr;
    std::shared_ptr<bool> alive =
        std::make_shared<bool>(true);  // false once the request is gone: for late answers

    Ctx();
    ~Ctx();
    Ctx(const Ctx&) = delete;
    Ctx& operator=(const Ctx&) = delete;
    // near=off is for stores that work: while one is down, the near cache stands in for it.
    bool uses_near() const;
    const Policy& policy() const { return own_policy ? *own_policy : conf->policy; }
    // An entry is at hand that may be served, if only when the backend fails.
    bool servable() const { return !entry.empty() && entry.verdict != Verdict::validate; }
    // What answers the request is older than a purge of it.
    bool answers_purged() const;
    // The backend may not be asked.
    bool cached_only() const { return at_hand_only() || wishes.only_if_cached; }
    // A fragment that its page does not wait for.
    bool at_hand_only() const;
    // Takes over what the near cache found, or nothing if it is not this request's.
    void take(const near_cache::Found& found);

    static constexpr const char* event_name = "request";
    void begin_substitute();
    // Nothing that it waits for finds it any more.
    void end_waits();
    void let_others_pass();
    // A fragment's turn has come.
    void begin_in_turn();
    void go_on_filling();
    void failed() noexcept;
};

// The request's context; null if Larder has nothing to do with the request. An internal redirect clears nginx's pointer to the
// context; this finds it again.
Ctx* ctx_of(ngx_http_request_t* r);
// Makes a context in r's pool and gives it to r.
Ctx* new_ctx(ngx_http_request_t* r, const LocConf* conf, Role role);
void attach_ctx(ngx_http_request_t* r, Ctx* ctx);

}  // namespace larder::ngx
