// What Larder knows of one request (or subrequest) while it runs.
//
// The life of it: lookup (phase_lookup.cpp) finds an entry or not; serve.cpp answers from one; fill (fill.cpp) sends the
// request on in its reduced form, and captures the answer; page.cpp assembles ESI pages; refresh.cpp regenerates in the
// background. docs/life-of-a-request.md tells it in order.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/request/key.hpp"
#include "cache/request/request_control.hpp"
#include "cache/response/decoder.hpp"
#include "cache/response/parts_control.hpp"
#include "cache/response/storable.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/forecast.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/page/compile.hpp"
#include "ngx_module/turn.hpp"

namespace larder::ngx {

class Page;
struct Fetch;
struct Group;
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

// A fill lock ends when its fill does; when its worker dies, the next worker ends it. This is for what neither sees.
inline constexpr std::int64_t fill_lease_ms = 60'000;
// How long a key whose answers can't be stored goes straight to the backend, in full and without waiting for others.
inline constexpr std::int64_t pass_ms = 60'000;

// What a coded piece of a body stands for, until nginx has sent it.
struct Decoded {
    std::string text;
    ngx_buf_t* buffer = nullptr;
};

// What has come of a coded body and is not decoded yet, and how the last of its buffers ends.
struct CodedRest {
    std::string bytes;
    std::size_t taken = 0;  // of these
    bool is_last = false, last_buf = false, last_in_chain = false, flush = false;

    void add(std::string_view more, const ngx_buf_t& buffer, bool ends) {
        if (taken > bytes.size() / 2) {
            bytes.erase(0, taken);
            taken = 0;
        }
        bytes.append(more);
        is_last = is_last || ends;
        last_buf = last_buf || buffer.last_buf;
        last_in_chain = last_in_chain || buffer.last_in_chain;
        flush = flush || buffer.flush;
    }
};

// What the client sent about itself that a reduced request holds nothing of.
enum class Withheld : std::uint8_t {
    nothing,     // but what is between it and us
    user_agent,  // the name of its program
    more,
};

// A request on its way to the backend in its reduced form, and what comes back. Views are into the request's pool.
struct Fill {
    ngx_http_headers_in_t client_headers{};  // to be put back once the backend's answer is here
    ngx_http_request_body_t* client_body = nullptr;
    const ngx_http_variable_value_t* client_variables = nullptr;
    ngx_str_t client_args{}, client_unparsed_uri{};
    bool client_valid_unparsed_uri = false;
    in_port_t client_port = 0;
    bool reduced = false;      // ... is in force
    Withheld withheld = Withheld::nothing;
    bool locked = false;       // we hold the key's fill lock
    bool conditional = false;  // the backend is asked whether the entry at hand is still good

    bool for_store = false;       // the body is kept to be stored,
    bool for_page = false;        // ... or because a page needs it (it has ESI, or is a fragment)
    bool swallow = false;         // the client gets nothing of it as it comes
    bool failed = false;          // the answer says that the site could not make the page (larder_error_status)
    bool client_gone = false;     // ... because it has left
    bool header_held = false;     // nor the header: what the page is made of is known at its end
    bool complete = false;        // all of it was seen
    bool broken = false;          // what comes is not what it says it is: of no use to anybody
    // Where it was sent on from: what was asked for is answered there, or where an internal redirect that is part of answering leads.
    ngx_uint_t uri_changes = 0;
    const ngx_http_upstream_t* upstream = nullptr;  // of an earlier answer, if any
    const ngx_http_core_loc_conf_t* location = nullptr;
    bool purged = false;          // a purge overtook the render
    std::int64_t request_ms = 0;  // Unix time
    std::uint64_t fence = 0;
    std::uint16_t status = 0;
    std::int64_t expected = -1;  // bytes of body, if the backend said
    Event overdue;
    std::unique_ptr<Decoder> decoder;
    CodedRest coded;
    std::list<Decoded> decoded;  // nodes stay where they are
    bool at_work = false;        // what has come is more than one turn has room for
    bool has_ended = false;      // ... and nothing comes after it
    Storability decision;
    std::string body;
    std::unique_ptr<AnswerCompiler> compiler;

    std::string_view plan() const { return compiler != nullptr ? std::string_view(compiler->plan()) : std::string_view(); }
};

// What subrequests of ours have in the place of the client's request: made for the first one, in the pool, for all of them.
struct Detached {
    ngx_http_headers_in_t headers{};
    ngx_http_request_body_t* body = nullptr;
    const ngx_http_variable_value_t* variables = nullptr;  // to be copied
};

// What the client gets in the place of the backend's answer.
struct Substitute {
    Status status;
    ngx_int_t error = 0;  // 0: the entry at hand; else the error that this is
};

// After a refresh that failed the next one waits for so long, unless the site asks for more.
inline constexpr std::int64_t refresh_retry_ms = 1000;

// For a fill, among the machines that share a store.
enum class Lease : std::uint8_t { not_asked, ours, refused, passes, not_needed };

// An entry set aside, and what it is worth.
struct AtHand {
    near_cache::Hold hold = 0;
    std::uint64_t version = 0;
    std::string_view entry;
    near_cache::Ref rest = 0;
    std::string store_bytes;
    Verdict verdict = Verdict::dead;
    bool purged = false;
};

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
    bool waited = false;
    bool suspended = false;
    std::optional<Key> claimed;  // we hold this key's fill lock, and no fill has begun
    Lease lease = Lease::not_asked;
    ngx_msec_t lease_again_ms = 0;  // refused: when to ask again; passes: for how long
    std::uint16_t news = 0;         // what the near cache had been told of `key` when the lease was asked for
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
    near_cache::Hold hold = 0;
    std::uint64_t version = 0;  // of the held entry in the near cache
    std::string_view entry;     // held, or in store_bytes; its prefix at least, with the body or the beginning of it, ...
    near_cache::Ref rest = 0;   // ... of which the near cache has the rest there; 0: the body is whole
    std::optional<near_cache::Check> check;  // the store is to be asked for a newer one
    Verdict verdict = Verdict::dead;
    bool purged = false;       // `entry` is stale because of a purge
    RequestControl wishes;     // the client's, as far as they are honoured
    bool wants_newer = false;  // ... for which the fresh entry at hand won't do
    std::string store_bytes;   // an entry fresh from the store
    std::unique_ptr<Fill> fill;     // in progress, or what a page is made from
    std::unique_ptr<Fill> retired;  // it ended without an answer; nginx may still be in its calls
    std::int64_t retry_ms = refresh_retry_ms;  // refresh: when it fails, how long until the next one
    std::optional<Substitute> substitute;  // about to begin
    Event substitution;
    std::optional<Policy> own_policy;  // fragment: the location's, as the include changes it
    bool at_hand_only = false;         // fragment: not to be waited for
    bool confined = false;             // fragment: it reaches no more than its page's visitor
    ngx_http_handler_pt content_handler = nullptr;       // the location's, while ours stands in its place
    ngx_http_event_handler_pt on_client_read = nullptr;  // nginx's, while the client is not looked at
    const char* no_store = nullptr;    // why the answer is not to be kept, whatever it says
    Page* page = nullptr;              // being assembled
    Fetch* fetch = nullptr;            // fragment: the include it is for
    Group* asked_group = nullptr;      // ... or the session whose group it is to tell
    Detached* detached = nullptr;      // once there is one
    Group* group = nullptr;            // of the visitor; null: not wanted, or there is no session
    Event timer;                       // while waiting
    Event again;                       // while another machine fills
    TurnPlace place;                   // while there is more to do than one turn has room for
    struct LateEnd* late_end = nullptr;  // of a subrequest of ours (subrequest.cpp)
    ngx_http_request_t* request = nullptr;
    std::shared_ptr<bool> alive =
        std::make_shared<bool>(true);  // false once the request is gone: for late answers

    ~Ctx();
    // near=off is for stores that work: while one is down, the near cache stands in for it.
    bool uses_near() const;
    const Policy& policy() const { return own_policy ? *own_policy : conf->policy; }
    // An entry is at hand that may be served, if only when the backend fails.
    bool servable() const { return !entry.empty() && verdict != Verdict::validate; }
    // What answers the request is older than a purge of it.
    bool answers_purged() const { return served ? purged : fill != nullptr && fill->purged; }
    // The backend may not be asked.
    bool cached_only() const { return at_hand_only || wishes.only_if_cached; }
    void take(const near_cache::Found& found);
    // Makes `entry` one piece, for those who need the whole body in one. Copies, unless it is.
    void join_entry();
    void drop_entry();
    AtHand set_entry_aside();
    void put_entry_back(AtHand aside);

    static constexpr const char* event_name = "request";
    void begin_substitute();
    // The time for a wait is over: another fill took too long, or another machine's is to be looked for again.
    void end_wait();
    // Nothing that it waits for finds it any more.
    void end_waits();
    void let_others_pass();
    // A fragment's turn has come.
    void begin_in_turn();
    void go_on_filling();
    void failed() noexcept;
};

// The request's context; null when Larder has nothing to do with it. Survives internal redirects.
Ctx* ctx_of(ngx_http_request_t* r);
Ctx* new_ctx(ngx_http_request_t* r, const LocConf* conf, Role role);
void attach_ctx(ngx_http_request_t* r, Ctx* ctx);

// Whether a condition holds: is neither empty nor "0".
bool is_true(ngx_http_request_t* r, const ngx_http_complex_value_t& condition);
// ... one of those of larder_bypass or larder_no_store
bool any_true(ngx_http_request_t* r, const std::vector<ngx_http_complex_value_t>& conditions);

// Lets a request that returned NGX_AGAIN from the lookup run on.
void resume(Ctx* ctx);
// ... once nginx is done with the request whose event this is: one of ours that ends.
ngx_int_t resume_soon(Ctx* ctx);
// Stops running phases until resume(); notices a client that goes away.
ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx);

// ---- variant.cpp
// Builds the variant and key. False when the request can't be cached; why in ctx->detail.
bool build_variant(ngx_http_request_t* r, Ctx* ctx);
// Puts the reduced request in place of the client's, for the content handler to send on.
void reduce_request(ngx_http_request_t* r, Ctx* ctx);
void restore_request(ngx_http_request_t* r, Ctx* ctx);
// Whether the request has one of these headers, beyond those of its variant.
bool sends_one_of(ngx_http_request_t* r, const Ctx* ctx, const std::vector<std::string>& names);
// The content codings that the client takes, as a list in one spelling.
std::string client_codings(ngx_http_request_t* r);
// How many variants of one URL may begin within an hour.
unsigned most_variants(const Ctx* ctx);
// For Cache-Status: "vary", and the names on which the answer varies.
const char* varies_detail(ngx_http_request_t* r, const std::vector<std::string>& names);
// If the request has one of the headers that the entry at hand varies on: makes the variant, and key, with them, of Accept-Encoding
// with the codings that it takes. False: it has none, so that entry is its own.
bool extend_variant(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string>& names);
// The Cookie field that the backend gets to see of the client's request.
std::string backend_cookies(ngx_http_request_t* r, const Ctx* ctx);
// What is kept of the request's cookies by these rules: until the next call.
const KeptCookies& collect_cookies(const ngx_http_headers_in_t& headers,
                                   const std::vector<CookieRule>& rules);
// Removes Larder-* request headers, which only Larder's own parts may send.
void strip_larder_request_headers(ngx_http_request_t* r);
// Removes Range and the If-* headers: a page's client means the page by them, not the template that it is made from.
void strip_conditions(ngx_http_request_t* r);
// What a subrequest of ours gets instead of a copy of r: no body, and none of the fields that describe r, its body or the
// client's connection. It is a request of its own.
Detached* detach_from_client(ngx_http_request_t* r);
// Into r's pool.
ngx_http_variable_value_t* copy_variables(ngx_http_request_t* r, const ngx_http_variable_value_t* variables);

// ---- lease.cpp
// Whether the fill may begin, as far as other machines go. wait: the request has to be suspended, it will be resumed; pass:
// there is nothing to fill, and what was claimed is given back. Precondition: ctx->claimed.
near_cache::Fill may_fill(Ctx* ctx);
// Gives back what was claimed for a fill that need not begin.
void unclaim(Ctx* ctx);
// ... and what is leased for this key, if anything, after the fill.
void end_lease(Ctx* ctx, const Key& key);
// The same, if the answer can't be stored: the others need not find out for themselves.
void end_lease_with_pass(Ctx* ctx, const Key& key);

// ---- phase_lookup.cpp
// Whether the entry at hand is for the visitor: one with a session shares no page unless the site said so.
bool is_for_visitor(const Ctx* ctx);
// False when the store can't be asked.
bool ask_store(Ctx* ctx);
// Until it is woken (near/wakeup.hpp), or its time is up.
void begin_waiting(Ctx* ctx);
ngx_int_t lookup_handler(ngx_http_request_t* r);
ngx_int_t access_handler(ngx_http_request_t* r);

// ---- serve.cpp
// Answers from ctx->entry: the return value is the phase handler's.
ngx_int_t serve_entry(ngx_http_request_t* r, Ctx* ctx, Status status);
// Fills headers_out from the entry, Age and Cache-Status included. False when memory is short.
bool set_headers_from_entry(ngx_http_request_t* r, Ctx* ctx);
// A field of the response; null when memory is short, and when `value` is none for that reason.
ngx_table_elt_t* add_response_header(ngx_http_request_t* r, ngx_str_t name, ngx_str_t value);
// Lets nginx's filters know of a Cache-Control field. False when memory is short.
bool note_cache_control(ngx_http_request_t* r, ngx_table_elt_t* header);
bool add_cache_status(ngx_http_request_t* r, Ctx* ctx);
// Tells caches behind us that the coding was negotiated, if it was.
bool add_vary(ngx_http_request_t* r, const Ctx* ctx);
void clear_response_headers(ngx_http_request_t* r);
// Removes what is about the very bytes of a body that another one takes the place of.
void remove_digests(ngx_http_request_t* r);
// Header and body of ctx->entry. NGX_DONE: the page waits for fragments.
ngx_int_t send_entry(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t send_entry_body(ngx_http_request_t* r, Ctx* ctx);
// Sends the header of a page of fragments, unless it was sent: a header filter's return value.
ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, const PartsControl& parts);
// A buffer over memory that nobody may write to; null when memory is short.
ngx_buf_t* memory_buffer(ngx_pool_t* pool, std::string_view bytes);
// Our bit in r->buffered: more will come.
inline constexpr unsigned larder_buffered = 0x08;

// ---- fill.cpp
// Sends the request on to the backend and captures the answer: the return value is the phase handler's.
ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t fill_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in);
// Removes the fields that steer Larder from the response.
void strip_larder_response_headers(ngx_http_request_t* r);
// Lets others fill, if we held the lock.
void end_fill_lock(Ctx* ctx);
// The fill ends without an answer; what comes from here on is none of its business.
void retire_fill(Ctx* ctx);
// Whether what r answers now is what the fill asked for, and not what nginx or error_page put in its place.
bool is_fills_answer(ngx_http_request_t* r, Fill& fill);
// What was put there is for a failure of the backend, not for one of its answers.
bool is_for_failure(const ngx_http_request_t* r, const Fill& fill);

// ---- client.cpp
// From when the location's content handler asks the backend, whether the client leaves makes no difference, until the answer proves
// to be of no use to others.
void look_away_from_client(ngx_http_request_t* r, Ctx* ctx);
void look_at_client_again(ngx_http_request_t* r, Ctx* ctx);
// Whether the client has left, as far as nginx has been told: to be asked when its connection has an event.
bool client_has_left(const ngx_http_request_t* r);
// Whether what the next filter returned says no more than that the client has left, and the fill goes on without it.
bool goes_on_without_client(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);

// ---- substitute.cpp
// Swallows the rest of the backend's answer; the client gets the other one from the next turn on. A filter's return value.
ngx_int_t answer_instead(Ctx* ctx, Substitute substitute);
// Ends the upstream of a request that goes on without it. Not to be called by what that upstream calls.
void end_upstream(ngx_http_request_t* r);

// ---- filters
// Takes what is in the buffers, for nginx to use them again.
void consume(ngx_chain_t* in);
extern ngx_http_output_header_filter_pt next_header_filter;
extern ngx_http_output_body_filter_pt next_body_filter;
ngx_int_t header_filter(ngx_http_request_t* r);
ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in);
void install_header_filter();
void install_body_filter();

}  // namespace larder::ngx
