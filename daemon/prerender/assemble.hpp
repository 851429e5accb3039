// Assembles a stored page with its fragments, for a file: what a first-time visitor would get from nginx.
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

    // The whole page; nothing, and the reason in `why`, when a fragment failed that its markup does not let fail.
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
