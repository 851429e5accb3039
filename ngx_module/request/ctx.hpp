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

// Where the request is in Larder's hands. Each phase but the first three is for good, apart from filling, which serving may follow:
// a stale entry, or one that the backend confirmed, takes the place of the backend's answer.
enum class Phase : std::uint8_t {
    entering,     // not all is known that the variant depends on
    looking,      // for the key's entry
    store_asked,  // the same, and the store has answered, or can't be asked
    passing,      // the request goes to the backend, and the answer is not looked at
    filling,      // the request goes to the backend, or has gone there, and `fill` captures the answer
    serving,      // the answer comes from `entry`
};

// What a suspended request waits for. The cache stands for the store, another's fill, and the request's turn.
enum class Waits : std::uint8_t { for_nothing, for_group, for_cache };

// Whether an answer turned out to vary, so that its headers were added to the variant.
enum class Varied : std::uint8_t { no, by_headers, by_coding };

// The forecast's word on a page that nobody has.
enum class Guess : std::uint8_t { none, is_kept, is_not_kept };

// What the client gets in the place of the backend's answer.
struct Substitute {
    Status status;
    ngx_int_t error = 0;  // 0: the entry at hand; else the error that this is
};

// A substitute that is about to begin.
struct Substitution {
    Substitute answer;
    Event event;
};

// Of Role::fragment: what the answer is for. In the pool of the client's request.
struct Fragment {
    Include* include = nullptr;    // of a page,
    Group* asked_group = nullptr;  // or the session whose group the answer tells
    ngx_http_post_subrequest_pt ended = nullptr;  // guarded: to be called at its end, ...
    void* data = nullptr;                         // ... with this
    std::optional<ngx_int_t> late_end;  // nginx has ended the subrequest with this, and not all of its answer is taken
};

// Of Role::refresh.
struct Renewing {
    std::string cookies;                // the Cookie field to send
    std::shared_ptr<Renewal> renewal;   // null: nobody waits for the page
};

// The search for a named part of another page, as whose name the request's URL may serve. While it goes on, the context's key,
// variant and entry are the part's.
struct NamedPart {
    Key request_key;
    ngx_str_t request_variant{};
    AtHand request_entry;         // of the request itself: good only to ask the backend about it
    bool request_passes = false;  // answers to the request itself are known to be unstorable
    enum class Search : std::uint8_t { goes_on, ended } search = Search::goes_on;
};

struct Ctx {
    ngx_http_request_t* request = nullptr;
    const LocConf* conf = nullptr;  // null: a fragment or refresh that has not come to its location
    Role role = Role::client;
    Phase phase = Phase::entering;
    Waits waits = Waits::for_nothing;
    Status status = Status::none;
    const char* detail = nullptr;    // for Cache-Status
    const char* no_store = nullptr;  // why the answer is not to be kept, whatever it says

    // What the request asks for, and what its variant says of the visitor.
    Key key;
    ngx_str_t variant{};      // encoded; empty: there is none, the request can't be cached
    bool personal = false;    // the variant is one person's
    bool near_only = false;   // ... and kept in no store
    bool session = false;     // the visitor has a session, of which the variant holds nothing
    bool authorized = false;  // ... or credentials, of which it holds no more than that
    Varied varied = Varied::no;
    Key base;  // varied: the key without the headers that the answer turned out to vary on
    RequestControl wishes;     // the client's, as far as they are honoured
    bool wants_newer = false;  // ... for which the fresh entry at hand won't do
    Group* group = nullptr;    // of the visitor; null: not wanted, or there is no session

    // The lookup.
    AtHand entry;
    std::optional<near_cache::Check> check;  // the store is to be asked for a newer entry
    std::unique_ptr<NamedPart> part;         // once a part of this name was looked for
    Guess guess = Guess::none;
    near_cache::Kinds kinds{};             // of the page, once there is a guess
    std::unique_ptr<FillWait> fill_wait;   // once the request has waited for another's fill
    std::unique_ptr<FillClaim> claim;      // to fill the key; once the fill begins, the fill has the permit

    // The answer.
    std::unique_ptr<Fill> fill;     // in progress, or what a page is made from
    std::unique_ptr<Fill> retired;  // it ended without an answer; nginx may still be in its calls
    std::unique_ptr<Substitution> substitution;          // about to begin
    std::unique_ptr<TurnPlace> place;                    // once there was more to do than one turn had room for
    ngx_http_handler_pt content_handler = nullptr;       // the location's, while ours stands in its place
    ngx_http_event_handler_pt on_client_read = nullptr;  // nginx's, while the client is not looked at
    Page* page = nullptr;                                // being assembled
    std::string csrf_secret;                             // of the cookie that the visitor gets with this answer

    // Requests of our own.
    Fragment* fragment = nullptr;         // Role::fragment
    std::unique_ptr<Renewing> renewing;   // Role::refresh
    std::unique_ptr<Policy> own_policy;   // in the place of the location's
    Detached* detached = nullptr;         // for subrequests of this one, once there is one

    Ctx();
    ~Ctx();
    Ctx(const Ctx&) = delete;
    Ctx& operator=(const Ctx&) = delete;

    bool has_variant() const { return variant.len != 0; }
    bool is_served() const { return phase == Phase::serving; }
    bool looks_for_part() const { return part != nullptr && part->search == NamedPart::Search::goes_on; }
    // Of a fragment; null if it is for no include.
    Include* include() const { return fragment != nullptr ? fragment->include : nullptr; }
    Group* asked_group() const { return fragment != nullptr ? fragment->asked_group : nullptr; }
    // Of a refresh; null if nobody waits for it.
    Renewal* renewal() const { return renewing != nullptr ? renewing->renewal.get() : nullptr; }
    // For callbacks that may come late: false once the request is gone.
    std::shared_ptr<const bool> alive();
    // The place in the queue for turns, made when it is first needed.
    TurnPlace& turn_place();
    // What the backend sent is in the near cache, or on its way to a store.
    bool is_stored() const;
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

private:
    std::shared_ptr<bool> alive_;  // null: nobody has asked
};

// The request's context; null if Larder has nothing to do with the request. An internal redirect clears nginx's pointer to the
// context; this finds it again.
Ctx* ctx_of(ngx_http_request_t* r);
// Makes a context in r's pool and gives it to r.
Ctx* new_ctx(ngx_http_request_t* r, const LocConf* conf, Role role);
void attach_ctx(ngx_http_request_t* r, Ctx* ctx);

}  // namespace larder::ngx
