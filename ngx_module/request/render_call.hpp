// Takes larderd's render calls (cache/wire/render_call.hpp), at any address where nginx listens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cache/wire/render_call.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The parameters of one render call, and its report. Shared by whatever works on the page; when the last owner is
// gone, the destructor passes the report to `told`.
class Renewal {
public:
    Renewal(const RenderCall& call, std::function<void(const RenderReport&)> told)
        : unconditional(call.unconditional), as_visitor(call.as_visitor), fence(call.fence), route(call.route), told_(std::move(told)) {}
    ~Renewal();
    Renewal(const Renewal&) = delete;
    Renewal& operator=(const Renewal&) = delete;

    const bool unconditional;
    const bool as_visitor;
    const std::uint64_t fence;
    const std::string route;
    RenderReport report{RenderResult::failed, 0, 0, {}, "it ended without an answer"};

private:
    std::function<void(const RenderReport&)> told_;
};

// Handler of the post-read phase. Takes render calls signed by a key of larder_signing_key; declines all other
// requests.
ngx_int_t render_call_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
