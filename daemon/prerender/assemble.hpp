// Assembles a stored page and its fragments into the bytes of a file: what nginx would send to a visitor without cookies.
#pragma once

#include <optional>
#include <string>

#include "cache/entry.hpp"
#include "daemon/prerender/page_source.hpp"
#include "edge_includes/page_tree.hpp"

namespace larder::daemon {

class PageAssembler {
public:
    PageAssembler(PageSource& source, Policy policy, UnixMs since_ms, UnixMs deadline_ms);

    // Returns the whole page. Returns nothing, with the reason in `why`, when a mandatory fragment failed, the page
    // exceeds a limit, or it holds a form token, which differs between visitors. Blocks until all fragments are there, or
    // until the deadline.
    std::optional<std::string> assemble(const EntryView& entry, const PageAddress& page, std::string& why);

private:
    struct Assembly;

    void await_one(esi::PageTree& tree, Assembly& made);

    PageSource& source_;
    const Policy policy_;
    const UnixMs since_ms_;
    const UnixMs deadline_ms_;
};

}  // namespace larder::daemon
