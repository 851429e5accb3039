// The interface by which request/ uses page/, the layer above it: the assembler of pages, and the include that a
// fragment's request answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

// The include that a fragment is fetched for. Owned by its page; lives as long as the page's pool, like the
// fragment's request.
class Include {
public:
    // Whether the page has memory for `size` more bytes of the answer. If so, they are counted until the page ends.
    virtual bool has_room(std::size_t size) = 0;
    // Whether the page's client is still connected. If not, the answer is of use only to the cache.
    virtual bool has_client() const = 0;
    // Whether the page waits for the fragment if no entry is in the near cache.
    virtual bool waits() const = 0;
    // The freshness in seconds that the include sets (ttl=), if any.
    virtual std::optional<std::uint32_t> ttl_s() const = 0;
    // Whether the page's visitor could not request the location that r, the fragment's request, has come to. Logged
    // if so.
    virtual bool is_out_of_reach(ngx_http_request_t* r) const = 0;

protected:
    ~Include() = default;
};

// Assembles `document` by `plan` (empty: it has no markup after all) as the answer to r, whose header fields are set.
// Both must live as long as r's pool. NGX_DONE: the page waits for fragments, and finalizes r itself. Otherwise
// everything was sent, and this is the result of the output filter. Set by module.cpp.
using PageStarter = ngx_int_t(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan);
extern PageStarter* start_page;

}  // namespace larder::ngx
