// Render calls of larderd (cache/wire/render_call.hpp), at any address where nginx listens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cache/wire/render_call.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// What a page that is made for a caller is made with, and how it went. Its end, once nothing works on the page any more, tells.
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

// In the post-read phase: takes render calls that are signed by one of larder_signing_key, and leaves all else alone.
ngx_int_t render_call_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
