// What ESI expressions can read of an nginx request.
#pragma once

#include <string>

#include "edge_includes/expression/environment.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

class RequestEnvironment final : public esi::Environment {
public:
    RequestEnvironment(ngx_http_request_t* r, const Ctx* ctx) : request_(r), ctx_(ctx) {}

    std::optional<std::string_view> cookie(std::string_view name) override;  // only those of larder_esi_cookie
    std::optional<std::string_view> header(std::string_view name) override;
    std::string_view query_string() override;
    std::string_view host() override;  // as in the key
    std::string_view method() override;
    std::string_view path() override;
    std::string_view scheme() override;
    std::optional<std::string_view> remote_address() override;  // only with larder_esi remote_addr=on
    std::int64_t unix_time() override;
    std::optional<esi::FunctionResult> call(std::string_view name,
                                            std::span<const std::string_view> arguments) override;

private:
    std::optional<std::string_view> signed_cookie(std::string_view name);

    ngx_http_request_t* request_;
    const Ctx* ctx_;
    std::string authority_storage_;
    std::string_view scheme_, authority_;  // empty: not computed yet
};

}  // namespace larder::ngx
