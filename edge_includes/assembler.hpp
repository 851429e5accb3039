// The assembler: a plan and the outcomes of fetches become a sequence of steps that the host carries out. No
// I/O.
//
// How a host drives it. The page is a list of pieces; a piece is a run of the document, a text, or a place
// (FragmentId). The content of a place is a fragment's body or again a list of pieces. Call step() until it
// says `idle` or `done`; carry out each step as it comes:
//
//   literal, text, emit   append to the list that is open: the page's own at first
//   fetch                 start fetching `url` for place `id` (a second fetch for the same id is its alt)
//   open                  from here on append to the list that is the content of place `id` ...
//   close                 ... until here; then back to the page's own (opens do not nest)
//   page_error            place `id` failed, and the markup allows no way round it (ESI 1.0: the page is an
//                         error). Its content follows as an empty open/close, for hosts that rather go on
//   pause                 this turn's slice of the budget is used: call step() again in the next turn
//   idle                  nothing more until outcome() was called for some fetch
//   done                  nothing more at all
//
// All fetches of a page come out before the first `idle`, also those inside try: they run in parallel, the
// page's head can be sent at once, and output stops only at a place whose content is not there yet. Ids are
// dense from 0. Whatever is emitted is final: it is never scanned for markup again.
//
// When the page's budget has no work left, values are undefined, loops end and includes fail; when it has no memory
// left, the document ends where it is (so does the page, for the host). An expression that takes more than one may
// is undefined.
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
        text;  // text; fetch: the URL as written. Valid until the assembler and the plan are gone
    IncludeAttributes attributes;  // fetch
    bool is_alt = false;           // fetch
};

class Assembler {
public:
    // The plan's bytes, the environment and the budget must outlive the assembler.
    Assembler(PlanView plan, Environment& environment, Budget& budget);
    ~Assembler();

    // The next step; `idle` and `done` repeat.
    Step step();

    // How the fetch for `id` ended: ok, or failed with an HTTP status (0: no response; timeout, refused URL,
    // ...). To be called once for each fetch, at any time and in any order; then step() again. False (and no
    // effect) when no fetch for `id` is outstanding, e.g. because its try has been decided without it: the
    // fetch may be cancelled.
    bool outcome(FragmentId id, bool ok, std::uint16_t status = 0);

    // True while the content of `id` can still become part of the page: a host may cancel other fetches.
    bool wanted(FragmentId id) const;

private:
    struct State;
    InPageMemory<State> state_;
};

}  // namespace larder::esi
