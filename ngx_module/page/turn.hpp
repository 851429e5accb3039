// How much of one turn of the worker's event loop pages may take, in the units of edge_includes/budget.hpp.
//
// All pages of a worker share it, so that other requests go on however many of them are at work. A page that finds it used up
// gets a little all the same: small pages need not wait behind a large one.
#pragma once

#include <cstdint>

namespace larder::ngx {

// What the next slice may take.
std::uint64_t next_slice();
// ... and what it took.
void end_slice(std::uint64_t work);

}  // namespace larder::ngx
