// Which answers say that the site has failed to make the page, and nothing of the page itself.
#pragma once

#include <cstdint>

namespace larder {

// 5xx; 429 (too many requests) and 403 say something of who asks. None of them may take the place of a page that was good.
constexpr bool is_failure(std::uint16_t status) {
    return status == 403 || status == 429 || status >= 500;
}

}  // namespace larder
