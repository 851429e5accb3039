// Runs the plan of one document: turns the plan and the outcomes of fetches into a sequence of steps, which the host carries
// out. Does no I/O.
//
// How a host drives it. The page is a list of pieces; a piece is a range of the document, a text, or a place
// (FragmentId). The content of a place is a fragment's body or again a list of pieces. The host calls step() until that
// returns `idle` or `done`, and carries out each step in order:
//
//   literal, text, emit   append to the list that is open: the page's own at first
//   fetch                 start fetching `url` for place `id` (a second fetch for the same id is its alt)
//   open                  from now on append to the list that is the content of place `id`
//   close                 go back to the page's own list; opens do not nest
//   page_error            the mandatory include at place `id` has failed; by ESI 1.0 the whole page is then an error. An empty
//                         open/close for the place follows, for hosts that send the rest of the page nevertheless
//   pause                 this turn's slice of the budget is used up: call step() again in the next turn
//   idle                  call step() again after outcome() was called for some fetch
//   done                  the end of the document
//
// All fetches of a document are returned before the first `idle`, including those inside <esi:try>. So they run in
// parallel, the beginning of the page can be sent at once, and output waits only at a place whose content has not arrived.
// Ids are dense from 0. What was emitted is never scanned for markup again.
//
// When the page's budget of work is used up, values are undefined, loops end and includes fail. When its memory is used
// up, the document ends at once, and the host must end the page. An expression that exceeds its own limit of work is
// undefined.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "edge_includes/budget.hpp"
#include "edge_includes/expression/environment.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::esi {

using FragmentId = std::uint32_t;

struct Step {
    enum class Kind : std::uint8_t { literal, text, fetch, emit, open, close, page_error, pause, idle, done };

    Kind kind = Kind::done;
    FragmentId id = 0;         // fetch, emit, open, close, page_error
    std::uint32_t offset = 0;  // literal: of the document
    std::uint32_t length = 0;  // literal
    std::string_view
        text;  // text: the bytes; fetch: the URL, not yet resolved. Valid as long as the assembler and the plan
    IncludeAttributes attributes;  // fetch
    bool is_alt = false;           // fetch
};

class Assembler {
public:
    // The plan's bytes, the environment and the budget must outlive the assembler.
    Assembler(PlanView plan, Environment& environment, Budget& budget);
    ~Assembler();

    // Returns the next step. `idle` is returned until an outcome() allows more, `done` for ever.
    Step step();

    // Reports how the fetch for `id` has ended: successfully, or with a failing HTTP status (0: no response, for instance
    // a timeout or a refused URL). Call it once for each fetch, at any time and in any order, and then step() again.
    // Returns false, without an effect, when no fetch for `id` is outstanding, for instance because its <esi:try> has
    // already failed.
    bool outcome(FragmentId id, bool ok, std::uint16_t status = 0);

    // Whether the content of `id` can still become part of the page. If not, the host may cancel the fetch.
    bool wanted(FragmentId id) const;

private:
    struct State;
    InPageMemory<State> state_;
};

}  // namespace larder::esi
