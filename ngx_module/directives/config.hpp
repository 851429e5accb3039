// What the directives set: one MainConf, a SrvConf for each server block, and a LocConf for each http, server and location block.
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

// Where a store or a job queue is.
struct Endpoint {
    StoreKind kind = StoreKind::redis;
    std::string url;                    // as configured, login masked
    std::vector<ngx_addr_t> addresses;  // of its name, when the configuration was read; at least one
    std::string user, password;
    unsigned database = 0;
    ngx_msec_t timeout = 100;  // for an answer
    std::string prefix = "larder:";
};

struct StoreConf {
    std::string name;
    unsigned domain = 0;  // its number in the near cache, from 1; known once the worker has started
    Endpoint endpoint;

    std::uint64_t identity() const;  // the same after a reload as long as URL and prefix are
};

struct HeaderRule {
    std::string name;  // lower case
    std::string text;  // as configured: rules of the same text do the same
    ValueFilter filter;
    std::optional<ngx_http_complex_value_t> value;  // instead of what the client sent
    std::vector<std::string> languages;             // accept-language: negotiated to one of these
    std::vector<std::string> codings;               // accept-encoding: the same
    bool is_group = false;                          // the group of the visitor's session
    bool is_authorization = false;                  // whether there are credentials
};

// larder_group. Kept headers point at it, and requests.
struct GroupRule {
    std::string uri;
    std::vector<CookieRule> cookies;  // of class private: the session
    std::vector<CookieRule> present;  // of class presence: whether there is one
    std::uint32_t valid_s = 60;       // where the answer says nothing
    std::uint32_t error_s = 0;        // an old answer counts this long if the backend fails
    ngx_msec_t timeout = 1000;
    std::string text;  // as configured
};

enum class CookieSecure : std::uint8_t { automatic, on, off };

enum class RefreshMode : std::uint8_t { daemon, in_worker, off };

struct MainConf {
    ngx_shm_zone_t* zone = nullptr;
    std::deque<StoreConf> stores;  // locations point at them
    std::optional<Endpoint> daemon;
    std::vector<std::string> signing_keys;                        // the first signs, all are accepted
    std::shared_ptr<const Signer> cookie_signer, render_signer;   // null: no keys
    std::string render_url;                                       // where larderd reaches this nginx; empty: where visitors do
    bool used = false;                                            // some location caches
    std::vector<void**> caching;                                  // loc_conf of those that do, in their order
    // Of the variables.
    ngx_int_t scheme_index = NGX_ERROR, https_index = NGX_ERROR, request_method_index = NGX_ERROR;

    const StoreConf* store(std::string_view name) const;
};

// Set by a directive here, or inherited.
template <typename T>
struct Setting {
    std::optional<T> own;

    void merge(const Setting& outer, T fallback) {
        if (!own) own = outer.own ? *outer.own : std::move(fallback);
    }
    const T& value() const { return *own; }
};

struct SrvConf {
    bool caches = false;  // it, or a location in it
    std::string site[2];  // Variant::site, of http and of https (sites.hpp)
};

struct Where {
    bool on = false;
    bool near = true;
    bool trust = false;                // off: Larder-* request headers are larderd's, and passed on
    const StoreConf* store = nullptr;  // null: the near cache alone

    unsigned domain() const { return store != nullptr ? store->domain : 0; }
};

struct LocConf {
    struct Stale {
        std::uint32_t while_s = 86400, error_s = 86400;
        std::uint32_t purged_s = 0;  // how long caches behind us may keep what left stale because of a purge
        bool never = false;
    };
    struct RequestControlRule {
        std::uint8_t honoured = 0;                          // RequestDirective bits
        std::optional<ngx_http_complex_value_t> condition;  // for whom; none: for everybody
    };
    struct Heuristic {
        std::uint8_t percent = 0;
        std::uint32_t max_s = 86400;
    };
    struct Esi {
        EsiMode mode = EsiMode::off;
        std::uint8_t depth = 5;
        std::uint16_t includes = 256;
        std::size_t size = 1u << 20;     // bytes of one document, and of one fragment
        ngx_msec_t timeout = 10'000;     // for a fragment that says no maxwait
        ngx_msec_t total = 30'000;       // for all of a page
        std::size_t output = 64u << 20;  // bytes of a page
        std::size_t memory = 64u << 20;  // bytes that a page may need while it is made
        bool remote_addr = false;        // pages may know their visitor's address
    };
    struct Csrf {  // the cookie behind $csrf_token(), as Django sets it
        bool on = false;
        std::string cookie = "csrftoken", domain, path = "/", same_site = "Lax";
        CookieSecure secure = CookieSecure::automatic;  // automatic: if the page was asked for by https
        std::uint32_t age_s = 364 * 86400;              // 0: until the browser is closed
    };

#define DIRECTIVE(name, conf, contexts, arguments, setter)
#define SETTING(type, name, fallback) Setting<type> name;
#include "ngx_module/directives/directives.def"
#undef SETTING
#undef DIRECTIVE
    bool purge_endpoint = false;      // not inherited
    ngx_str_t purge_token{};          // empty: none asked

    Policy policy;  // the settings, as the cache library wants it
    std::vector<HeaderRule>
        kept_headers;  // `headers`, `languages`, `codings`, `group`, `authorized`, in byte order of names
    std::vector<CookieRule> kept_cookies;  // `cookies` less those of sessions that make no difference here
    std::string place;    // what a request's URI does not tell of where it is: the beginning of Variant::led
    unsigned blocks = 0;  // of this location, that conditions choose; counted while the configuration is read

    bool enabled() const { return where.own && where.own->on; }
};

LocConf* loc_conf(ngx_http_request_t* r);
SrvConf* srv_conf(ngx_http_request_t* r);
MainConf* main_conf(ngx_http_request_t* r);
MainConf* main_conf(ngx_cycle_t* cycle);

extern ngx_command_t directives[];
extern ngx_http_module_t module_context;

}  // namespace larder::ngx
