// A request of Larder's own renders the page, in the server block that the variant names, while the caller's request
// waits.
#include "ngx_module/request/render_call.hpp"

#include <algorithm>
#include <vector>

#include "cache/request/url.hpp"
#include "cache/request/variant.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/own_request.hpp"
#include "ngx_module/request/respond.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// larderd's request. In its own pool.
struct Caller {
    static constexpr const char* event_name = "render call";

    ngx_http_request_t* request;
    RenderReport report;
    Event end;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);

    explicit Caller(ngx_http_request_t* r) : request(r) { end.bind<&Caller::answer>(this, r->connection->log); }
    ~Caller() { *alive = false; }

    void answer() {
        ngx_connection_t* c = request->connection;
        ngx_http_finalize_request(request, respond(request, NGX_HTTP_OK, "text/plain", encode_report(report)));
        ngx_http_run_posted_requests(c);
    }
    void failed() noexcept {
        ngx_connection_t* c = request->connection;
        ngx_http_finalize_request(request, NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }
};

// An address where nginx listens, with the server blocks that it serves there.
struct Place {
    ngx_listening_t* listening;
    ngx_http_addr_conf_t* address;
};

template <typename Address>
void add_places(ngx_listening_t* listening, ngx_http_port_t* port, std::vector<Place>& places) {
    auto* addresses = static_cast<Address*>(port->addrs);
    for (ngx_uint_t i = 0; i < port->naddrs; i++) places.push_back({listening, &addresses[i].conf});
}

std::vector<Place> all_places(ngx_http_request_t* r) {
    std::vector<Place> places{{r->connection->listening, r->http_connection->addr_conf}};
    auto* listening = static_cast<ngx_listening_t*>(ngx_cycle->listening.elts);
    for (ngx_uint_t i = 0; i < ngx_cycle->listening.nelts; i++) {
        if (listening[i].handler != places[0].listening->handler || listening[i].servers == nullptr) continue;
        auto* port = static_cast<ngx_http_port_t*>(listening[i].servers);
#if (NGX_HAVE_INET6)
        if (listening[i].sockaddr->sa_family == AF_INET6)
            add_places<ngx_http_in6_addr_t>(&listening[i], port, places);
        else
#endif
            add_places<ngx_http_in_addr_t>(&listening[i], port, places);
    }
    return places;
}

std::string_view port_of_url(const Variant& variant) {
    std::string_view port = port_of(variant.host);
    return !port.empty() ? port : variant.scheme == "https" ? "443" : "80";
}

// All addresses, the likelier ones first. A page that visitors found stale (by_url false): that of the call. A page
// of which only the URL is known: those on the URL's port.
std::vector<Place> places_for(ngx_http_request_t* r, const Variant& variant, bool by_url) {
    std::vector<Place> places = all_places(r);
    const ngx_http_addr_conf_t* own = places[0].address;
    bool tls = variant.scheme == "https";
    std::string_view port = port_of_url(variant);
    auto rank = [&](const Place& place) {
        if (by_url && std::to_string(ngx_inet_get_port(place.listening->sockaddr)) == port) return 0;
        return place.address == own ? 1 : is_tls(*place.address) == tls ? 2 : 3;
    };
    std::stable_sort(places.begin(), places.end(),
                     [&rank](const Place& a, const Place& b) { return rank(a) < rank(b); });
    return places;
}

std::string bytes_of(const sockaddr* address, socklen_t size) {
    return {reinterpret_cast<const char*>(address), size};
}

// The local address of the connection that a visitor of `place` would have. Where the call came in, that of the call;
// for a wildcard address, loopback.
std::string local_address(ngx_http_request_t* r, const Place& place) {
    ngx_connection_t* c = r->connection;
    if (place.listening == c->listening && ngx_connection_local_sockaddr(c, nullptr, 0) == NGX_OK)
        return bytes_of(c->local_sockaddr, c->local_socklen);
    if (!place.listening->wildcard) return {};
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loopback.sin_port = htons(ngx_inet_get_port(place.listening->sockaddr));
    return bytes_of(reinterpret_cast<sockaddr*>(&loopback), sizeof loopback);
}

// There is no client. But sites expect an address, and many fail without one: use the IPv4 dummy address, which
// nobody has (RFC 7600).
void take_dummy_client(OwnRequest& own) {
    sockaddr_in dummy{};
    dummy.sin_family = AF_INET;
    dummy.sin_addr.s_addr = htonl(0xc0000008);
    own.client = bytes_of(reinterpret_cast<sockaddr*>(&dummy), sizeof dummy);
    own.client_text = "192.0.0.8";
}

OwnRequest request_for(ngx_http_request_t* r, const Place& place, const Variant& variant, const MainConf& main) {
    OwnRequest own;
    own.listening = place.listening;
    own.address = place.address;
    own.local = local_address(r, place);
    if (place.listening->sockaddr->sa_family != AF_UNIX) take_dummy_client(own);
    own.target = variant.target();
    own.fields.emplace_back("host", variant.host);
    bool has_scheme = false;
    for (const NamedValue& header : variant.headers) {
        own.fields.emplace_back(header.name, header.value);
        has_scheme = has_scheme || header.name == "x-forwarded-proto";
    }
    if (!has_scheme) own.fields.emplace_back("x-forwarded-proto", variant.scheme);
    std::string cookies =
        variant.cookie_field([&main](std::string_view value) { return main.cookie_signer->sign(value, ngx_time()); });
    if (!cookies.empty()) own.fields.emplace_back("cookie", std::move(cookies));
    return own;
}

bool is_of_site(ngx_http_request_t* r, const Place& place, const Variant& variant, bool any) {
    const SrvConf* server = srv_conf(r);
    return server->caches && (any || server->site[is_tls(*place.address)] == variant.site);
}

// Makes the request, in the server block of the page's visitors. Null if no server block fits. `cookies`: set to its
// Cookie field.
ngx_http_request_t* open_for(ngx_http_request_t* r, const Variant& variant, bool any_site, std::string& cookies) {
    const MainConf& main = *main_conf(r);
    for (const Place& place : places_for(r, variant, any_site)) {
        OwnRequest wanted = request_for(r, place, variant, main);
        ngx_http_request_t* own = open_request(wanted);
        if (own == nullptr) continue;
        if (is_of_site(own, place, variant, any_site)) {
            if (wanted.fields.back().first == "cookie") cookies = wanted.fields.back().second;
            return own;
        }
        ngx_http_finalize_request(own, NGX_ERROR);
    }
    return nullptr;
}

void begin(Caller& caller, const RenderCall& call) {
    ngx_http_request_t* r = caller.request;
    auto renewal = std::make_shared<Renewal>(call, [&caller, alive = caller.alive](const RenderReport& report) {
        if (!*alive) return;
        caller.report = report;
        caller.end.post();
    });
    const char* why;
    auto variant = Variant::parse(call.variant, &why);
    std::string cookies;
    ngx_http_request_t* own = open_for(r, *variant, call.as_visitor, cookies);
    if (own == nullptr) {
        renewal->report = {RenderResult::misled, 0, 0, {}, "no server block of this nginx has such pages"};
        return;
    }
    try {
        Ctx* ctx = new_ctx(own, nullptr, Role::refresh);
        ctx->key = key_of(call.variant);
        ctx->variant = copy(own->pool, call.variant);
        if (ctx->variant.data == nullptr) throw std::bad_alloc();
        ctx->renewing = std::make_unique<Renewing>(Renewing{std::move(cookies), renewal});
        if (call.policy) ctx->own_policy = std::make_unique<Policy>(*call.policy);
    } catch (...) {
        ngx_http_finalize_request(own, NGX_ERROR);
        throw;
    }
    count(near_cache::Counter::render_calls);
    start(own);
}

// Reports to the caller even if the request can't begin.
void begin_guarded(Caller& caller, const RenderCall& call) {
    bool begun = guarded(caller.request->connection->log, Caller::event_name, false, [&] {
        begin(caller, call);
        return true;
    });
    if (!begun) caller.end.post();
}

std::string body_of(ngx_http_request_t* r) {
    std::string body;
    for (ngx_chain_t* link = r->request_body->bufs; link != nullptr; link = link->next) {
        ngx_buf_t* buffer = link->buf;
        if (!buffer->in_file) {
            body.append(reinterpret_cast<char*>(buffer->pos), static_cast<std::size_t>(buffer->last - buffer->pos));
            continue;
        }
        std::string part(static_cast<std::size_t>(buffer->file_last - buffer->file_pos), '\0');
        ssize_t got = ngx_read_file(buffer->file, reinterpret_cast<u_char*>(part.data()), part.size(), buffer->file_pos);
        if (got != static_cast<ssize_t>(part.size())) throw std::runtime_error("the body can't be read");
        body.append(part);
    }
    return body;
}

std::string_view signature_of(ngx_http_request_t* r) {
    return find_header(r, render_field).value_or(std::string_view());
}

ngx_int_t refuse(ngx_http_request_t* r, ngx_uint_t status, const std::string& why) {
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: refused a render call: %s", why.c_str());
    return respond(r, status, "text/plain", "larder: " + why + "\n");
}

// NGX_DONE: the page is being rendered, and Caller::answer() will finalize r.
ngx_int_t take(ngx_http_request_t* r) {
    std::string body = r->request_body != nullptr ? body_of(r) : std::string();
    if (!is_signed_render_call(*main_conf(r)->render_signer, signature_of(r), body, ngx_time()))
        return refuse(r, NGX_HTTP_FORBIDDEN, "it is not signed by a key of larder_signing_key within the last minute");
    const char* why;
    auto call = decode_render_call(body, &why);
    if (!call) return refuse(r, NGX_HTTP_BAD_REQUEST, why);
    Caller* caller = make<Caller>(r->pool, r);
    r->write_event_handler = ngx_http_request_empty_handler;
    begin_guarded(*caller, *call);
    return NGX_DONE;
}

void on_body(ngx_http_request_t* r) {
    ngx_int_t rc = guarded(r->connection->log, "render call", static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR),
                           [r] { return take(r); });
    if (rc != NGX_DONE) ngx_http_finalize_request(r, rc);
}

}  // namespace

Renewal::~Renewal() {
    guarded(ngx_cycle->log, "render call", 0, [this] {
        told_(report);
        return 0;
    });
}

ngx_int_t render_call_handler(ngx_http_request_t* r) {
    if (r->uri.len != render_path.size() || r->method != NGX_HTTP_POST || r != r->main || view(r->uri) != render_path ||
        signature_of(r).empty())
        return NGX_DECLINED;
    if (r->headers_in.content_length_n < 0 || r->headers_in.content_length_n > static_cast<off_t>(max_render_call_bytes))
        return NGX_DECLINED;
    r->logged = 1;  // not in the access log: no visitor sent it
    ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) return rc;
    ngx_http_finalize_request(r, NGX_DONE);  // releases the reference that reading the body took
    return NGX_DONE;
}

}  // namespace larder::ngx
