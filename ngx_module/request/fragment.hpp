// What request/ needs of page/, which is above it: the assembler of pages, and, for the request of a fragment, the include that it
// answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

// The include that a fragment is fetched for. It belongs to its page and lives as long as the page's pool, as does the fragment.
class Include {
public:
    // Whether the page may hold `size` more bytes of the answer. They are counted, and given back when the page ends.
    virtual bool has_room(std::size_t size) = 0;
    // Whether the page's client is still there. Without it, an answer is of use to others alone.
    virtual bool has_client() const = 0;
    // Whether the page waits for an answer that is not at hand.
    virtual bool waits() const = 0;
    // How long the answer is fresh, if the include says so.
    virtual std::optional<std::uint32_t> ttl_s() const = 0;
    // Whether r, the fragment's request, came to a location that the page's visitor could not ask. Logged if so.
    virtual bool is_out_of_reach(ngx_http_request_t* r) const = 0;

protected:
    ~Include() = default;
};

// Assembles `document` by `plan` (empty: it has no markup after all) as the answer to r, whose header is set. Both must live as long as
// r's pool. NGX_DONE: the page waits for fragments and finalizes r itself; otherwise all of it was sent, and this is what the output
// filter returned. module.cpp sets it.
using PageStarter = ngx_int_t(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan);
extern PageStarter* start_page;

}  // namespace larder::ngx
