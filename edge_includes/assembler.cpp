// The assembler's state machine.
//
// The document itself is run step by step, as the host asks. Bodies that depend on the outcome of fetches (a branch of a
// try, the fallback of an include) are run to their end first: their fetches are returned at once, and their pieces are
// held back until it is known whether they become part of the page.
#include "edge_includes/assembler.hpp"

#include <list>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

#include "edge_includes/expression/expression.hpp"

namespace larder::esi {

namespace {

constexpr std::uint32_t nothing = 0xffffffff;

// A body that is being run. A loop's body is run once for each item.
struct Frame {
    std::uint32_t at;
    std::uint32_t end;
    std::uint32_t body;
    std::uint32_t round;  // loops: the next item
    bool loop;
    Value items;
    std::string_view item_name;
};

struct Cursor {
    std::pmr::vector<Frame> frames;
    const Scope* scope;
    std::uint32_t trial;           // the trial that the pieces belong to; nothing: to none
    FragmentId to_emit = nothing;  // the last step was this place's fetch, so its emit is the next step
};

enum class PlaceState : std::uint8_t { fetching, fetching_alt, replaced, trying, settled };

struct Place {
    std::uint32_t op;     // index of the include or the try
    std::uint32_t trial;  // the trial that it is in; nothing: in none
    const Scope* scope;
    PlaceState state;
};

// One branch of a try: its pieces are held back until the branch has succeeded.
struct Trial {
    FragmentId place;
    std::uint32_t next_branch;  // index of the operation after this branch
    std::uint32_t end;          // index of the operation after the try
    std::uint32_t pending = 0;  // number of unsettled places in it
    std::uint16_t status = 0;
    bool running = true;
    bool failed = false;
    bool decided = false;
    std::pmr::vector<Step> held;
};

// A body that is run to its end before the document goes on.
struct Run {
    Cursor cursor;
    FragmentId place;                // the place that it is the content of
    std::uint32_t trial;             // the trial whose branch it is; nothing: it is the fallback of an include
    std::pmr::vector<Step> pieces;
};

constexpr std::uint64_t include_work = 10;

Step plain(Step::Kind kind, FragmentId id = 0) {
    Step step;
    step.kind = kind;
    step.id = id;
    return step;
}

}  // namespace

struct Assembler::State {
    State(PlanView the_plan, Environment& environment, Budget& the_budget)
        : plan(the_plan),
          budget(the_budget),
          evaluator(environment, budget),
          places(&budget.memory()),
          trials(&budget.memory()),
          queue(&budget.memory()),
          runs(&budget.memory()),
          document{std::pmr::vector<Frame>(&budget.memory()), nullptr, nothing} {
        places.reserve(plan.include_count());
        enter(document, 0, plan.op_count());
    }

    // ---- running operations

    static void enter(Cursor& cursor, std::uint32_t from, std::uint32_t to) {
        cursor.frames.push_back({from, to, from, 0, false, {}, {}});
    }

    // Returns the next step of `cursor`: done at its end, pause when the slice of the budget is used up.
    Step next(Cursor& cursor) {
        if (cursor.to_emit != nothing) return plain(Step::Kind::emit, std::exchange(cursor.to_emit, nothing));
        while (!cursor.frames.empty()) {
            if (budget.slice_is_over()) return plain(Step::Kind::pause);
            if (budget.memory().full()) return budget.note(Exceeded::memory), plain(Step::Kind::done);
            Frame& frame = cursor.frames.back();
            if (frame.at == frame.end) {
                if (!frame.loop || !next_round(cursor)) cursor.frames.pop_back();
                continue;
            }
            std::uint32_t index = frame.at;
            Op op = plan.op(index);
            frame.at += 1 + op.span;
            budget.spend(1);
            Step out;
            if (run(cursor, index, op, out)) return out;
        }
        return plain(Step::Kind::done);
    }

    // Runs one operation. Returns true if it resulted in a step.
    bool run(Cursor& cursor, std::uint32_t index, const Op& op, Step& out) {
        switch (op.kind) {
            case OpKind::literal:
                out = plain(Step::Kind::literal);
                out.offset = op.a;
                out.length = op.b;
                return true;
            case OpKind::emit:
                out = plain(Step::Kind::text);
                out.text = evaluator.text(evaluator.evaluate(plan.heap(op.a), cursor.scope));
                return !out.text.empty();
            case OpKind::include:
                return begin_include(cursor, index, out);
            case OpKind::assign:
                bind(cursor, plan.heap(op.a), evaluator.evaluate(plan.heap(op.b), cursor.scope));
                return false;
            case OpKind::choose:
                choose(cursor, index, op);
                return false;
            case OpKind::foreach:
                begin_loop(cursor, index, op);
                return false;
            case OpKind::break_loop:
                break_loop(cursor);
                return false;
            case OpKind::attempt_all:
                begin_try(cursor, index, op, out);
                return true;
            case OpKind::when:
            case OpKind::otherwise:
            case OpKind::attempt:
            case OpKind::except:
                break;  // only inside choose and try, which run them
        }
        return false;
    }

    bool bind(Cursor& cursor, std::string_view name, const Value& value) {
        char* room = evaluator.allocate(sizeof(Scope), alignof(Scope));
        if (room == nullptr) return false;
        cursor.scope = new (room) Scope{name, value, cursor.scope};
        return true;
    }

    void choose(Cursor& cursor, std::uint32_t index, const Op& op) {
        for (std::uint32_t at = index + 1; at < index + 1 + op.span;) {
            Op branch = plan.op(at);
            Value groups;
            bool taken = branch.kind == OpKind::otherwise ||
                         evaluator.evaluate(plan.heap(branch.a), cursor.scope, &groups).truthy();
            if (taken) {
                if (groups.kind == Value::Kind::list) bind(cursor, plan.heap(branch.b), groups);
                return enter(cursor, at + 1, at + 1 + branch.span);
            }
            at += 1 + branch.span;
        }
    }

    void begin_loop(Cursor& cursor, std::uint32_t index, const Op& op) {
        Value items = evaluator.evaluate(plan.heap(op.a), cursor.scope);
        std::uint32_t body = index + 1;
        cursor.frames.push_back({body + op.span, body + op.span, body, 0, true, items, plan.heap(op.b)});
    }

    // The item of a loop's round: of a list its item, of a dictionary a list of key and value; any other value is looped
    // over once, if it is not empty. Returns false after the last round.
    bool item(const Value& items, std::uint32_t round, Value& out) {
        switch (items.kind) {
            case Value::Kind::list:
                if (round < items.items.size()) out = items.items[round];
                return round < items.items.size();
            case Value::Kind::dictionary: {
                if (round >= items.pairs.size()) return false;
                const Value pair[] = {text_value(items.pairs[round].key), items.pairs[round].value};
                out = evaluator.make_list(pair);
                return true;
            }
            default:
                out = items;
                return round == 0 && items.kind != Value::Kind::undefined && !evaluator.text(items).empty();
        }
    }

    bool next_round(Cursor& cursor) {
        Frame& frame = cursor.frames.back();
        Value value;
        if (!budget.spend(2) || !item(frame.items, frame.round, value) ||
            !bind(cursor, frame.item_name, value))
            return false;
        ++frame.round;
        frame.at = frame.body;
        return true;
    }

    static void break_loop(Cursor& cursor) {
        while (!cursor.frames.empty()) {
            bool loop = cursor.frames.back().loop;
            cursor.frames.pop_back();
            if (loop) return;
        }
    }

    // ---- places

    FragmentId add_place(const Cursor& cursor, std::uint32_t op, PlaceState state) {
        places.push_back({op, cursor.trial, cursor.scope, state});
        ++unsettled(cursor.trial);
        return static_cast<FragmentId>(places.size() - 1);
    }

    std::uint32_t& unsettled(std::uint32_t trial) {
        return trial == nothing ? pending : trials[trial].pending;
    }

    bool begin_include(Cursor& cursor, std::uint32_t index, Step& out) {
        FragmentId id = add_place(cursor, index, PlaceState::fetching);
        if (!budget.spend(include_work)) {
            fail(id, 0);
            out = plain(Step::Kind::emit, id);
            return true;
        }
        cursor.to_emit = id;
        out = fetch_step(id, false);
        return true;
    }

    Step fetch_step(FragmentId id, bool alt) {
        const Place& place = places[id];
        Include include = plan.include(plan.op(place.op).a);
        const UrlSource& source = alt ? include.alt : include.src;
        Step step = plain(Step::Kind::fetch, id);
        step.text =
            source.constant ? source.bytes : evaluator.text(evaluator.evaluate(source.bytes, place.scope));
        step.attributes = include.attributes;
        step.is_alt = alt;
        return step;
    }

    // Handles a failed fetch. In this order: fetches alt, runs the fallback, leaves the place empty (onerror="continue"),
    // or gives up.
    void fail(FragmentId id, std::uint16_t status) {
        Place place = places[id];
        Op op = plan.op(place.op);
        Include include = plan.include(op.a);
        if (include.alt.present && place.state == PlaceState::fetching && budget.spend(include_work)) {
            places[id].state = PlaceState::fetching_alt;
            queue.push_back(fetch_step(id, true));
        } else if (op.span > 0) {
            places[id].state = PlaceState::replaced;
            begin_run({{std::pmr::vector<Frame>(&budget.memory()), place.scope, place.trial}, id, nothing,
                       std::pmr::vector<Step>(&budget.memory())},
                      place.op + 1, place.op + 1 + op.span);
        } else if (include.attributes.continue_on_error) {
            fill(id, {});
            settle(id);
        } else {
            give_up(id, status);
        }
    }

    void fill(FragmentId id, std::span<const Step> pieces) {
        queue.push_back(plain(Step::Kind::open, id));
        queue.insert(queue.end(), pieces.begin(), pieces.end());
        queue.push_back(plain(Step::Kind::close, id));
    }

    void settle(FragmentId id) {
        places[id].state = PlaceState::settled;
        std::uint32_t trial = places[id].trial;
        --unsettled(trial);
        if (trial != nothing) decide(trial);
    }

    // A mandatory include has failed: so does the branch of a try that it is in, or else the page.
    void give_up(FragmentId id, std::uint16_t status) {
        std::uint32_t trial = places[id].trial;
        if (trial == nothing) {
            queue.push_back(plain(Step::Kind::page_error, id));
            fill(id, {});
        } else {
            trials[trial].failed = true;
            trials[trial].status = status;
        }
        settle(id);
    }

    // ---- bodies that are run to their end first

    void begin_run(Run run, std::uint32_t from, std::uint32_t to) {
        runs.push_back(std::move(run));
        enter(runs.back().cursor, from, to);
    }

    // Advances the newest run. Returns true if `out` is a step for the host; other steps are held back.
    bool advance_run(Step& out) {
        Run& run = runs.back();
        out = next(run.cursor);
        if (out.kind == Step::Kind::fetch || out.kind == Step::Kind::pause) return true;
        if (out.kind == Step::Kind::done)
            end_run();
        else
            run.pieces.push_back(out);
        return false;
    }

    void end_run() {
        Run run = std::move(runs.back());
        runs.pop_back();
        if (run.trial == nothing) {
            fill(run.place, run.pieces);
            settle(run.place);
        } else {
            trials[run.trial].held = std::move(run.pieces);
            trials[run.trial].running = false;
            decide(run.trial);
        }
    }

    // ---- try

    void begin_try(Cursor& cursor, std::uint32_t index, const Op& op, Step& out) {
        FragmentId id = add_place(cursor, index, PlaceState::trying);
        out = plain(Step::Kind::emit, id);
        run_branch(id, index + 1, index + 1 + op.span);
    }

    void run_branch(FragmentId id, std::uint32_t at, std::uint32_t end) {
        auto index = static_cast<std::uint32_t>(trials.size());
        std::uint32_t after = at + 1 + plan.op(at).span;
        trials.push_back({id, after, end, 0, 0, true, false, false, std::pmr::vector<Step>(&budget.memory())});
        begin_run({{std::pmr::vector<Frame>(&budget.memory()), places[id].scope, index}, id, index,
                   std::pmr::vector<Step>(&budget.memory())},
                  at + 1, after);
    }

    // Decides a branch of a try: when all its places are settled, its pieces become the try's content. At its first
    // failure, the next branch that handles the status is run instead.
    void decide(std::uint32_t index) {
        Trial& trial = trials[index];
        if (trial.running || trial.decided || (!trial.failed && trial.pending > 0)) return;
        trial.decided = true;
        FragmentId id = trial.place;
        if (!trial.failed) {
            fill(id, trial.held);
            return settle(id);
        }
        std::uint16_t status = trial.status;
        for (std::uint32_t at = trial.next_branch, end = trial.end; at < end; at += 1 + plan.op(at).span) {
            std::uint16_t code = plan.op(at).code;
            if (code == 0 || code == status || code == status / 100) return run_branch(id, at, end);
        }
        give_up(id, status);
    }

    bool wanted(FragmentId id) const {
        if (id >= places.size()) return false;
        for (std::uint32_t trial = places[id].trial; trial != nothing;
             trial = places[trials[trial].place].trial) {
            if (trials[trial].failed) return false;
        }
        return true;
    }

    // ---- the interface

    Step step() {
        for (;;) {
            if (queued < queue.size()) return queue[queued++];
            queue.clear();
            queued = 0;
            Step out;
            if (runs.empty()) {
                out = next(document);
                if (out.kind == Step::Kind::done && pending > 0) out = plain(Step::Kind::idle);
                return out;
            }
            if (advance_run(out)) return out;
        }
    }

    bool outcome(FragmentId id, bool ok, std::uint16_t status) {
        if (id >= places.size()) return false;
        bool fetching =
            places[id].state == PlaceState::fetching || places[id].state == PlaceState::fetching_alt;
        if (!fetching || !wanted(id)) return false;
        if (ok) {
            settle(id);
        } else {
            fail(id, status);
        }
        return true;
    }

    PlanView plan;
    Budget& budget;
    Evaluator evaluator;
    std::pmr::vector<Place> places;
    std::pmr::vector<Trial> trials;
    std::pmr::vector<Step> queue;  // steps to return before the next step of a run or the document
    std::size_t queued = 0;        // how many of these were returned
    std::pmr::list<Run> runs;      // a stack: the last one is run first. A list, because references to elements are kept
    Cursor document;
    std::uint32_t pending = 0;  // number of unsettled places that are in no try
};

Assembler::Assembler(PlanView plan, Environment& environment, Budget& budget)
    : state_(budget.memory().make<State>(plan, environment, budget)) {}

Assembler::~Assembler() = default;

Step Assembler::step() {
    return state_->step();
}
bool Assembler::outcome(FragmentId id, bool ok, std::uint16_t status) {
    return state_->outcome(id, ok, status);
}
bool Assembler::wanted(FragmentId id) const {
    return state_->wanted(id);
}

}  // namespace larder::esi
