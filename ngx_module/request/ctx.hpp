// The per-request context: everything Larder knows about one request or subrequest while it runs. All files of
// request/ and page/ work on it.
//
// It is allocated in the request's pool and destroyed with it. docs/life-of-a-request.md describes the order of use:
// phase_lookup.cpp looks for an entry, serve.cpp answers from one, fill.cpp sends the request to the backend and
// captures the answer, refresh.cpp renders a page again in the background, page/page.cpp assembles pages that have
// fragments.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/reason.hpp"
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
    fragment,  // our subrequest for an include or a session's group: its answer goes to another request, not to the client
    refresh,   // our request without a client: its answer goes to the cache only
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

// How far the request has got. A request does not leave `passing`, `filling` or `serving` again, with one exception:
// `filling` may turn into `serving`, when a stale or revalidated entry replaces the backend's answer.
enum class Phase : std::uint8_t {
    entering,     // the variant is not complete yet
    looking,      // the variant is known; looking for its entry
    store_asked,  // the same, and the store has answered or can't be asked
    passing,      // sent to the backend, and the answer is not captured
    filling,      // sent to the backend, or about to be; `fill` captures the answer
    serving,      // the answer comes from `entry`
};

// What a suspended request waits for. for_cache: for the store, for another request's fill, or for a turn (turn.hpp).
enum class Waits : std::uint8_t { for_nothing, for_group, for_cache };

// Whether headers were added to the variant because an answer varies on them: on request headers, or on
// Accept-Encoding.
enum class Varied : std::uint8_t { no, by_headers, by_coding };

// What the forecast (near/forecast.hpp) predicts for a page of which no entry is at hand.
enum class Guess : std::uint8_t { none, is_kept, is_not_kept };

// The detail in Cache-Status: a word, and of Reason::vary the names of the headers, as ":NAME/NAME".
struct Detail {
    Reason reason = Reason::none;
    const char* names = "";

    Detail() = default;
    Detail(Reason why) : reason(why) {}
    Detail(Reason why, const char* of) : reason(why), names(of) {}
    std::string text() const { return std::string(text_of(reason)) + names; }
};

// What the client gets instead of the backend's answer.
struct Substitute {
    Status status;
    ngx_int_t error = 0;  // HTTP status of an error page; 0: the entry at hand
};

// A substitute, and the event that starts it.
struct Substitution {
    Substitute answer;
    Event event;
};

// Of Role::fragment: what the subrequest was made for. Allocated in the pool of the client's request.
struct Fragment {
    Include* include = nullptr;    // the include of a page that it is for, ...
    Group* asked_group = nullptr;  // ... or the session whose group it asks for
    ngx_http_post_subrequest_pt ended = nullptr;  // called when the subrequest ends, with `data`; guarded
    void* data = nullptr;
    std::optional<ngx_int_t> late_end;  // result that nginx ended the subrequest with, while we still process its body
};

// Of Role::refresh.
struct Renewing {
    std::string cookies;                // the Cookie field to send to the backend
    std::shared_ptr<Renewal> renewal;   // who waits for the result; null: nobody
};

// Looks for an entry of a named part (<esi:inline>) whose name is this request's URL. While the search goes on, the
// context's key, variant and entry are those of the part; those of the request itself are kept here.
struct NamedPart {
    Key request_key;
    ngx_str_t request_variant{};
    AtHand request_entry;         // not servable, good only to revalidate
    bool request_passes = false;  // the request's own key is marked as a pass
    enum class Search : std::uint8_t { goes_on, ended } search = Search::goes_on;
};

struct Ctx {
    ngx_http_request_t* request = nullptr;
    const LocConf* conf = nullptr;  // null: a fragment or refresh that has not reached its location
    Role role = Role::client;
    Phase phase = Phase::entering;
    Waits waits = Waits::for_nothing;
    Status status = Status::none;
    Detail detail;
    Reason no_store = Reason::none;  // why the answer must not be stored, whatever its headers say

    // What the request asks for, and who asks.
    Key key;
    ngx_str_t variant{};      // encoded; empty: there is none, so the request can't be cached
    bool personal = false;    // the variant belongs to one person
    bool near_only = false;   // the variant must not be kept in a store shared by machines
    bool session = false;     // the visitor has a session, and the variant holds nothing of it
    bool authorized = false;  // the visitor sent credentials, and the variant holds only this fact
    Varied varied = Varied::no;
    Key base;  // if varied: the key without the headers that the answer varies on
    RequestControl wishes;     // the client's Cache-Control, as far as larder_request_control honours it
    bool wants_newer = false;  // a fresh entry was at hand, and `wishes` ruled it out
    Group* group = nullptr;    // the visitor's group; null: not configured, or there is no session

    // State of the lookup.
    AtHand entry;
    std::optional<near_cache::Check> check;  // set if the store is to be asked whether it has a newer entry
    std::unique_ptr<NamedPart> part;         // set once a named part was looked for
    Guess guess = Guess::none;
    near_cache::Kinds kinds{};             // set once `guess` is
    std::unique_ptr<FillWait> fill_wait;   // set once the request has waited for another request's fill
    std::unique_ptr<FillClaim> claim;      // to fill the key; its permit moves to the fill when that begins

    // State of the answer.
    std::unique_ptr<Fill> fill;     // in progress; kept while a page is assembled from its body
    std::unique_ptr<Fill> retired;  // a fill that ended without an answer; nginx may still be executing its callbacks
    std::unique_ptr<Substitution> substitution;          // scheduled, and not begun yet
    std::unique_ptr<TurnPlace> place;                    // in the queue for turns; made when one turn was not enough
    ngx_http_handler_pt content_handler = nullptr;       // the location's, while ours replaces it
    ngx_http_event_handler_pt on_client_read = nullptr;  // nginx's read handler, while ours replaces it
    Page* page = nullptr;                                // being assembled
    std::string csrf_secret;                             // of the csrf cookie that the visitor gets with this answer

    // Requests that Larder makes.
    Fragment* fragment = nullptr;         // Role::fragment
    std::unique_ptr<Renewing> renewing;   // Role::refresh
    std::unique_ptr<Policy> own_policy;   // replaces the location's
    Detached* detached = nullptr;         // parent for our subrequests; made with the first one

    Ctx();
    ~Ctx();
    Ctx(const Ctx&) = delete;
    Ctx& operator=(const Ctx&) = delete;

    bool has_variant() const { return variant.len != 0; }
    bool is_served() const { return phase == Phase::serving; }
    bool looks_for_part() const { return part != nullptr && part->search == NamedPart::Search::goes_on; }
    // The include of a fragment; null if the request is not for one.
    Include* include() const { return fragment != nullptr ? fragment->include : nullptr; }
    Group* asked_group() const { return fragment != nullptr ? fragment->asked_group : nullptr; }
    // Of a refresh; null if nobody waits for it.
    Renewal* renewal() const { return renewing != nullptr ? renewing->renewal.get() : nullptr; }
    // For callbacks that may outlive the request: becomes false when the request is destroyed.
    std::shared_ptr<const bool> alive();
    // The request's place in the queue for turns, made on first use.
    TurnPlace& turn_place();
    // Whether the backend's answer is in the near cache, or on its way to a store.
    bool is_stored() const;
    // Whether this request reads and writes the near cache. near=off has no effect while the store is down.
    bool uses_near() const;
    const Policy& policy() const { return own_policy ? *own_policy : conf->policy; }
    // An entry is at hand that may be served, if only because the backend failed.
    bool servable() const { return !entry.empty() && entry.verdict != Verdict::validate; }
    // What the request is answered with is older than a purge of it.
    bool answers_purged() const;
    // Whether the backend must not be asked.
    bool cached_only() const { return at_hand_only() || wishes.only_if_cached; }
    // Whether this is a fragment that its page does not wait for: only an entry in the near cache is of use.
    bool at_hand_only() const;
    // Takes over what zone().find() returned. Drops it if it belongs to another variant or another store.
    void take(const near_cache::Found& found);

    static constexpr const char* event_name = "request";
    void begin_substitute();
    // Cancels whatever could call back into this request: timers, waits, claims.
    void end_waits();
    void let_others_pass();
    // Called when it is this fragment's turn to begin.
    void begin_in_turn();
    void go_on_filling();
    void failed() noexcept;

private:
    std::shared_ptr<bool> alive_;  // made by the first call of alive()
};

// The request's context; null if Larder has nothing to do with the request. nginx clears a request's contexts at an
// internal redirect; this finds ours again.
Ctx* ctx_of(ngx_http_request_t* r);
// Makes a context in r's pool and attaches it to r.
Ctx* new_ctx(ngx_http_request_t* r, const LocConf* conf, Role role);
void attach_ctx(ngx_http_request_t* r, Ctx* ctx);

}  // namespace larder::ngx
