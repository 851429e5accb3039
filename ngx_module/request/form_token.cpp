// The visitor's cookie is read only when a page asks for a token.
#include "ngx_module/request/form_token.hpp"

#include "cache/csrf.hpp"
#include "cache/request/cookies.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

std::optional<std::string> visitors_secret(ngx_http_request_t* r, const LocConf::Csrf& conf) {
    std::string_view value;
    each_cookie_field(r->headers_in, [&](std::string_view field) {
        if (auto found = last_cookie(field, conf.cookie)) value = *found;
    });
    return csrf_secret(value);
}

// With the attributes that Django sets by default.
std::string set_cookie_value(ngx_http_request_t* r, const LocConf::Csrf& conf, const std::string& secret) {
    std::string text = conf.cookie + "=" + secret;
    if (!conf.domain.empty()) text += "; Domain=" + conf.domain;
    if (conf.age_s != 0) text += "; Max-Age=" + std::to_string(conf.age_s);
    text += "; Path=" + conf.path + "; SameSite=" + conf.same_site;
    bool secure = conf.secure == CookieSecure::on ||
                  (conf.secure == CookieSecure::automatic && visitor_scheme(r) == "https");
    return secure ? text + "; Secure" : text;
}

}  // namespace

bool give_form_cookie(ngx_http_request_t* r, Ctx* ctx) {
    const LocConf::Csrf& conf = ctx->conf->csrf.value();
    if (!conf.on || r != r->main || visitors_secret(r, conf)) return false;
    ctx->csrf_secret = random_csrf_text();
    ngx_str_t value = copy(r->pool, set_cookie_value(r, conf, ctx->csrf_secret));
    if (add_response_header(r, ngx_string("Set-Cookie"), value) == nullptr) throw std::bad_alloc();
    return true;
}

std::optional<std::string> form_token(ngx_http_request_t* r, const Ctx* ctx) {
    const LocConf::Csrf& conf = ctx->conf->csrf.value();
    if (!conf.on) return std::nullopt;
    std::optional<std::string> secret =
        ctx->csrf_secret.empty() ? visitors_secret(r, conf) : ctx->csrf_secret;
    if (!secret) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "larder: a fragment of \"%V\" wants $csrf_token() for a visitor without cookie \"%s\", "
                      "and the header has left: let the page itself ask for one",
                      &r->uri, conf.cookie.c_str());
        return std::nullopt;
    }
    return csrf_token(*secret, random_csrf_text());
}

}  // namespace larder::ngx
