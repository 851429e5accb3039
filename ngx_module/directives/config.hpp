// The module's configuration: one MainConf, a SrvConf per server block, and a LocConf per http, server and location
// block.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/request/cookies.hpp"
#include "cache/request/query.hpp"
#include "cache/response/policy.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

enum class StoreKind : std::uint8_t { redis, memcached, larderd };

// The address of a store or of a job queue.
struct Endpoint {
    StoreKind kind = StoreKind::redis;
    std::string url;                    // as configured, with the login masked
    std::vector<ngx_addr_t> addresses;  // resolved when the configuration was read; at least one
    std::string user, password;
    unsigned database = 0;
    ngx_msec_t timeout = 100;  // ms for a reply
    std::string prefix = "larder:";
};

struct StoreConf {
    std::string name;
    unsigned domain = 0;  // its number in the near cache, from 1; set when the worker starts
    Endpoint endpoint;

    std::uint64_t identity() const;  // the same after a reload if URL and prefix are unchanged
};

struct HeaderRule {
    std::string name;  // lower case
    std::string text;  // as configured; rules with the same text are equal
    ValueFilter filter;
    std::optional<ngx_http_complex_value_t> value;  // replaces the client's field
    std::vector<std::string> languages;             // accept-language: one of these is negotiated
    std::vector<std::string> codings;               // accept-encoding: one of these is negotiated
    bool is_group = false;                          // holds the group of the visitor's session
    bool is_authorization = false;                  // holds only whether there are credentials
};

// A larder_group directive. Kept headers and requests point to it.
struct GroupRule {
    std::string uri;
    std::vector<CookieRule> cookies;  // of class private: the session
    std::vector<CookieRule> present;  // the same, of class presence: whether there is a session
    std::uint32_t valid_s = 60;       // freshness of an answer that states none
    std::uint32_t error_s = 0;        // how long a stale answer is used while the backend fails
    ngx_msec_t timeout = 1000;
    std::string text;  // as configured
};

enum class CookieSecure : std::uint8_t { automatic, on, off };

enum class RefreshMode : std::uint8_t { daemon, in_worker, off };

struct MainConf {
    ngx_shm_zone_t* zone = nullptr;
    std::deque<StoreConf> stores;  // a deque, as locations point to its elements
    std::optional<Endpoint> daemon;
    std::vector<std::string> signing_keys;                        // the first one signs; all are accepted
    std::shared_ptr<const Signer> cookie_signer, render_signer;   // null: no larder_signing_key
    std::string render_url;                                       // where larderd reaches this nginx; empty: where visitors do
    bool used = false;                                            // some location caches
    std::vector<void**> caching;                                  // loc_conf arrays of the locations that cache, in order
    // Indexes of nginx's variables.
    ngx_int_t scheme_index = NGX_ERROR, https_index = NGX_ERROR, request_method_index = NGX_ERROR;

    const StoreConf* store(std::string_view name) const;
};

// The value of a directive: set in this block, or inherited.
template <typename T>
struct Setting {
    std::optional<T> own;

    void merge(const Setting& outer, T fallback) {
        if (!own) own = outer.own ? *outer.own : std::move(fallback);
    }
    const T& value() const { return *own; }
};

struct SrvConf {
    bool caches = false;  // the server, or a location in it, caches
    std::string site[2];  // Variant::site for http and https, see sites.hpp
};

struct Where {
    bool on = false;
    bool near = true;
    bool trust = false;                // with off: keep the Larder-* request fields, as larderd sent them
    const StoreConf* store = nullptr;  // null: the near cache alone

    unsigned domain() const { return store != nullptr ? store->domain : 0; }
};

struct LocConf {
    struct Stale {
        std::uint32_t while_s = 86400, error_s = 86400;
        std::uint32_t purged_s = 0;  // how long caches behind us may keep an answer that is stale because of a purge
        bool never = false;
    };
    struct RequestControlRule {
        std::uint8_t honoured = 0;                          // RequestDirective bits
        std::optional<ngx_http_complex_value_t> condition;  // must be true for them to be honoured; none: always
    };
    struct Heuristic {
        std::uint8_t percent = 0;
        std::uint32_t max_s = 86400;
    };
    struct Esi {
        EsiMode mode = EsiMode::off;
        std::uint8_t depth = 5;
        std::uint16_t includes = 256;
        std::size_t size = 1u << 20;     // bytes of a document or fragment
        ngx_msec_t timeout = 10'000;     // ms for a fragment whose include has no maxwait
        ngx_msec_t total = 30'000;       // ms for a page
        std::size_t output = 64u << 20;  // bytes of an assembled page
        std::size_t memory = 64u << 20;  // bytes of memory for making a page
        bool remote_addr = false;        // expressions may read the visitor's address
    };
    struct Csrf {  // larder_csrf: the cookie behind $csrf_token(), with Django's defaults
        bool on = false;
        std::string cookie = "csrftoken", domain, path = "/", same_site = "Lax";
        CookieSecure secure = CookieSecure::automatic;  // automatic: if the page was requested by https
        std::uint32_t age_s = 364 * 86400;              // seconds; 0: a session cookie
    };

#define DIRECTIVE(name, conf, contexts, arguments, setter)
#define SETTING(type, name, fallback) Setting<type> name;
#include "ngx_module/directives/directives.def"
#undef SETTING
#undef DIRECTIVE
    bool purge_endpoint = false;      // not inherited
    ngx_str_t purge_token{};          // empty: no token required

    Policy policy;  // the settings above, for the cache library
    // from `headers`, `languages`, `codings`, `group` and `authorized`; sorted by name
    std::vector<HeaderRule> kept_headers;
    std::vector<CookieRule> kept_cookies;  // `cookies` without those of sessions that make no difference here
    std::string place;    // beginning of Variant::led: where the request is, if its URI does not tell
    unsigned blocks = 0;  // number of `if` and similar blocks in it; counted while nginx reads the configuration

    bool enabled() const { return where.own && where.own->on; }
};

LocConf* loc_conf(ngx_http_request_t* r);
SrvConf* srv_conf(ngx_http_request_t* r);
MainConf* main_conf(ngx_http_request_t* r);
MainConf* main_conf(ngx_cycle_t* cycle);

extern ngx_command_t directives[];
extern ngx_http_module_t module_context;

}  // namespace larder::ngx
