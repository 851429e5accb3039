// Documents are run in the order in which their fetches end. The output of each is kept as a list of pieces, and the
// reader walks the lists in the order of the page.
#include "edge_includes/page_tree.hpp"

#include <optional>
#include <utility>

namespace larder::esi {

namespace {

constexpr std::uint32_t nothing = 0xffffffff;

// Units of work (budget.hpp).
constexpr std::uint64_t fetch_work = 200;    // of starting a subrequest
constexpr std::uint64_t document_work = 20;
constexpr std::size_t bytes_per_unit = 32;  // of output, which is copied into the kernel

}  // namespace

struct PageTree::Piece {
    std::string_view text;
    FragmentId place = nothing;  // nothing: the piece is `text`
    Piece* next = nullptr;
};

// A linked list, because growing a vector of a million pieces would copy them all in one turn of the event loop.
struct PageTree::Pieces {
    Piece* first = nullptr;
    Piece** end = &first;
    bool closed = false;

    Pieces() = default;
    Pieces(const Pieces&) = delete;
    Pieces& operator=(const Pieces&) = delete;

    void add(PageMemory& memory, const Piece& piece) {
        *end = memory.make<Piece>(piece).release();
        end = &(*end)->next;
    }
};

// The content of an include or a try.
struct PageTree::Place {
    bool is_text = false;
    std::string_view text;       // the fragment's body, if is_text
    Document* nested = nullptr;  // the fragment, if it is a document
    Pieces* instead = nullptr;   // pieces of the including document: a fallback, or a branch of a try
};

struct PageTree::Document {
    std::string_view bytes, plan;
    std::string_view path;
    const unsigned depth;
    std::optional<Assembler> assembler;  // none: it has no ESI markup
    Pieces content;
    std::pmr::vector<Place> places;
    Pieces* open;
    bool is_ready = false;

    Document(std::string_view the_bytes, std::string_view the_plan, std::string_view the_path, unsigned the_depth,
             Environment& environment, Budget& budget)
        : bytes(the_bytes),
          plan(the_plan),
          path(the_path),
          depth(the_depth),
          places(&budget.memory()),
          open(&content) {
        if (!plan.empty()) {
            assembler.emplace(PlanView::trusted(plan), environment, budget);
        } else {
            content.add(budget.memory(), {bytes});
            content.closed = true;
        }
    }

    Place& place(FragmentId id) {
        if (places.size() <= id) places.resize(id + 1);
        return places[id];
    }
};

struct PageTree::Wanted {
    Document* document;
    FragmentId place;
    bool process;
};

// Compiles a fragment that came without a plan (dca="esi").
struct PageTree::Processing {
    Processing(std::string_view document, const CompileOptions& options) : compiler(document, options) {}

    StepwiseCompiler compiler;
    bool done = false, failed = false;
    std::vector<Wanted> wanted;
};

struct PageTree::Fragment {
    enum class State : std::uint8_t { pending, good, failed };

    Fragment(std::string_view the_target, PageMemory& memory) : target(the_target), path(the_target), wanted(&memory) {}

    std::string_view target, path;
    State state = State::pending;
    bool told = false;     // all of `wanted` have been told the outcome
    bool process = false;  // compile it as ESI for every include, not only for those with dca="esi"
    std::uint16_t status = 0;
    std::string_view body, plan;
    std::pmr::vector<Wanted> wanted;
    std::size_t next = 0;  // index of the next of `wanted` to tell
    std::unique_ptr<Processing> processing;
};

PageTree::PageTree(std::string_view document, std::string_view plan, std::string path, Environment& environment, PageHost& host,
                   const PageLimits& limits, const CompileOptions& compile)
    : budget_(limits.budget),
      environment_(environment),
      host_(host),
      limits_(limits),
      compile_(compile),
      path_(std::move(path)),
      fragments_(&budget_.memory()),
      by_target_(&budget_.memory()),
      parts_(&budget_.memory()),
      ended_(&budget_.memory()),
      to_compile_(&budget_.memory()),
      ready_(&budget_.memory()),
      documents_(&budget_.memory()) {
    root_ = new_document(document, plan, path_, 1);
    ready(*root_);
}

PageTree::~PageTree() = default;

PageTree::Document* PageTree::new_document(std::string_view bytes, std::string_view plan, std::string_view path, unsigned depth) {
    documents_.push_back(budget_.memory().make<Document>(bytes, plan, path, depth, environment_, budget_));
    return documents_.back().get();
}

void PageTree::ready(Document& document) {
    if (document.is_ready || !document.assembler) return;
    document.is_ready = true;
    ready_.push_back(&document);
}

void PageTree::cut_off(Cut why) {
    if (cut_ == Cut::no) cut_ = why;
}

// ---- running

bool PageTree::run() {
    for (;;) {
        if (budget_.memory().full()) cut_off(Cut::memory);
        if (cut_ != Cut::no) return true;
        if (budget_.slice_is_over()) return false;
        if (!ended_.empty()) {
            tell_one(*ended_.front());
        } else if (!ready_.empty()) {
            if (!run(*ready_.front())) return false;
            ready_.front()->is_ready = false;
            ready_.pop_front();
        } else if (!to_compile_.empty()) {
            compile_some(*to_compile_.front());
        } else {
            return true;
        }
    }
}

// Runs the document until it waits or ends. Returns false when the slice is used up.
bool PageTree::run(Document& document) {
    for (;;) {
        Step step = document.assembler->step();
        if (step.kind == Step::Kind::pause) return false;
        if (step.kind == Step::Kind::done) document.content.closed = true;
        if (step.kind == Step::Kind::done || step.kind == Step::Kind::idle) return true;
        carry_out(document, step);
    }
}

void PageTree::carry_out(Document& document, const Step& step) {
    switch (step.kind) {
        case Step::Kind::literal:
            document.open->add(budget_.memory(), {document.bytes.substr(step.offset, step.length)});
            break;
        case Step::Kind::text:
            document.open->add(budget_.memory(), {step.text});
            break;
        case Step::Kind::emit:
            document.open->add(budget_.memory(), {{}, step.id});
            break;
        case Step::Kind::fetch:
            fetch(document, step);
            break;
        case Step::Kind::open:
            document.open = budget_.memory().make<Pieces>().release();
            document.place(step.id).instead = document.open;
            break;
        case Step::Kind::close:
            document.open->closed = true;
            document.open = &document.content;
            break;
        case Step::Kind::page_error:
            host_.left_out();
            break;
        case Step::Kind::pause:
        case Step::Kind::idle:
        case Step::Kind::done:
            break;
    }
}

// ---- fragments

IncludeUrl PageTree::resolve(std::string_view reference, std::string_view path) const {
    return resolve_include_url(reference, {environment_.scheme(), environment_.host(), path});
}

void PageTree::refuse(Document& document, const Step& step, const char* why) {
    host_.refused(step.text, why);
    document.assembler->outcome(step.id, false, 0);
}

void PageTree::fetch(Document& document, const Step& step) {
    if (document.depth > limits_.depth) return refuse(document, step, "nested deeper than larder_esi depth=");
    // Places of fragments that are already here count as well, since documents that include each other multiply by their
    // places.
    if (places_ == limits_.includes) return refuse(document, step, "more includes than larder_esi includes=");
    ++places_;
    IncludeUrl url = resolve(step.text, document.path);
    if (!url.ok()) return refuse(document, step, to_text(url.refusal));
    const char* why = nullptr;
    Fragment* fragment = inline_part(document, url.target);
    if (fragment == nullptr) {
        auto known = by_target_.find(url.target);
        fragment = known != by_target_.end() ? known->second : new_fragment(url.target, step.attributes, why);
    }
    if (fragment == nullptr) return refuse(document, step, why);
    Wanted wanted{&document, step.id, step.attributes.process};
    if (fragment->told)
        tell(*fragment, wanted);
    else
        fragment->wanted.push_back(wanted);
}

PageTree::Fragment& PageTree::add_fragment(std::string_view target) {
    PageMemory& memory = budget_.memory();
    fragments_.push_back(memory.make<Fragment>(memory.copy(target), memory));
    return *fragments_.back();
}

// Returns null, with the reason in `why`, when the host refuses to fetch it or no work is left.
PageTree::Fragment* PageTree::new_fragment(std::string_view target, const IncludeAttributes& attributes, const char*& why) {
    why = "the page has no work left";
    if (!budget_.spend(fetch_work)) return nullptr;
    auto id = static_cast<FetchId>(fragments_.size());
    Fragment& fragment = add_fragment(target);
    by_target_.emplace(fragment.target, &fragment);
    why = host_.fetch(id, fragment.target, attributes);
    if (why == nullptr) return &fragment;
    fragment.state = Fragment::State::failed;
    fragment.told = true;
    return nullptr;
}

// The part of the document that an <esi:inline name=...> defines; it needs no fetch. Returns null if there is none with
// this name.
PageTree::Fragment* PageTree::inline_part(const Document& document, std::string_view target) {
    PlanView plan = PlanView::trusted(document.plan);
    for (std::uint32_t i = 0; i < plan.inline_count() && budget_.spend(1); ++i) {
        Inline part = plan.inline_fragment(i);
        if (part.name != target) continue;
        Fragment*& fragment = parts_[part.name.data()];
        if (fragment == nullptr) {
            fragment = &add_fragment(target);
            fragment->process = true;
            arrived(static_cast<FetchId>(fragments_.size() - 1), document.bytes.substr(part.offset, part.length), {}, fragment->target);
        }
        return fragment;
    }
    return nullptr;
}

void PageTree::arrived(FetchId id, std::string_view body, std::string_view plan, std::string_view target) {
    Fragment& fragment = *fragments_[id];
    if (fragment.state != Fragment::State::pending) return;
    fragment.state = Fragment::State::good;
    fragment.body = body;
    fragment.plan = plan;
    fragment.path = target.substr(0, target.find('?'));
    ended_.push_back(&fragment);
}

void PageTree::failed(FetchId id, std::uint16_t status) {
    Fragment& fragment = *fragments_[id];
    if (fragment.state != Fragment::State::pending) return;
    fragment.state = Fragment::State::failed;
    fragment.status = status;
    ended_.push_back(&fragment);
}

// Tells the outcome to the next include that wants the fragment, which is at the head of `ended_`.
void PageTree::tell_one(Fragment& fragment) {
    if (fragment.next < fragment.wanted.size()) return tell(fragment, Wanted(fragment.wanted[fragment.next++]));
    fragment.told = true;
    ended_.pop_front();
}

void PageTree::tell(Fragment& fragment, const Wanted& wanted) {
    budget_.spend(1);
    Document& document = *wanted.document;
    bool good = fragment.state == Fragment::State::good;
    bool as_document = good && fragment.plan.empty() && (wanted.process || fragment.process);
    if (as_document && !(fragment.processing && fragment.processing->done)) return process(fragment, wanted);
    if (as_document && fragment.processing->failed) good = false;
    if (document.assembler->outcome(wanted.place, good, fragment.status) && good) {
        std::string_view plan = as_document ? std::string_view(fragment.processing->compiler.result().plan) : fragment.plan;
        stand(document.place(wanted.place), fragment, plan, document.depth + 1);
    }
    ready(document);
}

void PageTree::stand(Place& place, Fragment& fragment, std::string_view plan, unsigned depth) {
    if (plan.empty()) {
        place.text = fragment.body;
        place.is_text = true;
        return;
    }
    budget_.spend(document_work);
    host_.uses(plan);
    place.nested = new_document(fragment.body, plan, fragment.path, depth);
    ready(*place.nested);
}

// ---- fragments that came without a plan

void PageTree::process(Fragment& fragment, const Wanted& wanted) {
    if (fragment.processing == nullptr) {
        fragment.processing = std::make_unique<Processing>(fragment.body, compile_);
        to_compile_.push_back(&fragment);
    }
    fragment.processing->wanted.push_back(wanted);
}

void PageTree::compile_some(Fragment& fragment) {
    Processing& processing = *fragment.processing;
    if (processing.compiler.done()) {
        for (const Report& report : processing.compiler.result().reports) host_.reported(report);
    } else if (budget_.spend(processing.compiler.step())) {
        return;
    } else {
        processing.failed = true;
    }
    processing.done = true;
    to_compile_.pop_front();
    std::vector<Wanted> wanted = std::move(processing.wanted);
    for (const Wanted& place : wanted) tell(fragment, place);
}

// ---- output

PageTree::Reader::Reader(PageTree& tree) : tree_(tree), frames_(&tree.budget_.memory()) {
    read(tree.root_->content, *tree.root_);
}

void PageTree::Reader::read(const Pieces& pieces, Document& document) {
    frames_.push_back({&document, &pieces, &pieces.first});
}

void PageTree::Reader::cut_off(Cut why) {
    tree_.cut_off(why);
    cut_off_ = true;
}

// The result of next() where the output so far ends: wait, or end if the page was cut off.
PageTree::Output PageTree::Reader::unfinished() const {
    return {tree_.cut_ == Cut::no ? Output::Kind::wait : Output::Kind::end, {}};
}

PageTree::Output PageTree::Reader::next() {
    using Kind = Output::Kind;
    while (!frames_.empty() && !cut_off_) {
        if (tree_.budget_.slice_is_over()) return {Kind::pause, {}};
        Frame& frame = frames_.back();
        Document& document = *frame.document;
        if (*frame.at == nullptr) {
            if (!frame.pieces->closed) return unfinished();
            frames_.pop_back();
            continue;
        }
        const Piece& piece = **frame.at;
        std::string_view text = piece.text;
        if (piece.place != nothing) {
            const Place& place = document.place(piece.place);
            bool known = place.is_text || place.nested != nullptr || place.instead != nullptr;
            if (!known) return unfinished();
            text = place.text;
            frame.at = &piece.next;
            if (place.nested != nullptr)
                read(place.nested->content, *place.nested);
            else if (place.instead != nullptr)
                read(*place.instead, document);
        } else {
            frame.at = &piece.next;
        }
        tree_.budget_.pace(1 + text.size() / bytes_per_unit);
        std::size_t room = tree_.limits_.output - given_;
        if (text.size() > room) {
            cut_off(Cut::output);
            text = text.substr(0, room);
        }
        given_ += text.size();
        if (!text.empty()) return {Kind::text, text};
    }
    return {Kind::end, {}};
}

}  // namespace larder::esi
