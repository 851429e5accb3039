// The page: its document and all that it includes, one inside the other, put together within one budget. No I/O: the host
// fetches and sends. nginx and larderd are both hosts of this, so that a page is the same whoever makes it.
//
// How a host drives it, in each turn: budget().begin_slice(), then run(), which calls Host::fetch() for each fragment that is
// wanted; then Reader::next() for what the page gives so far. arrived() and failed() tell how a fetch ended, at any time but not
// from within a call of the tree. Where run() or next() say that the slice is over, the rest is for the next turn.
//
// Each URL is fetched once. A fragment that is itself a document is assembled at each place where it stands. The number of
// places, in all documents together, is limited: it bounds the number of documents, and what is written out.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge_includes/assembler.hpp"
#include "edge_includes/budget.hpp"
#include "edge_includes/compile.hpp"
#include "edge_includes/include_url.hpp"

namespace larder::esi {

using FetchId = std::uint32_t;  // of a fragment; dense from 0

struct PageLimits {
    unsigned depth = 5;              // of documents inside each other
    std::uint32_t includes = 256;    // places, in all documents together
    std::size_t output = 64u << 20;  // bytes
    BudgetLimits budget{};
};

// Why a page ends before it is whole.
enum class Cut : std::uint8_t { no, output, memory };

class PageHost {
public:
    virtual ~PageHost() = default;

    // Starts fetching `target` (path and query), which lives as long as the tree; `attributes` are those of the first include that
    // wants it. Null, or why it can't be fetched.
    virtual const char* fetch(FetchId id, std::string_view target, const IncludeAttributes& attributes) = 0;
    // An include fails without being fetched.
    virtual void refused(std::string_view url, const char* why) = 0;
    // An include failed, and its markup has no way round that: its place is left empty.
    virtual void left_out() = 0;
    // A fragment turned out to be a document; `plan` is a trusted one.
    virtual void uses(std::string_view plan) = 0;
    // Something is wrong in a document that nobody compiled before.
    virtual void reported(const Report& report) = 0;
};

class PageTree {
public:
    // `document` and `plan` (a trusted one, or empty), the environment and the host must outlive the tree. `path`: what relative
    // URLs refer to. `compile`: for documents that nobody compiled before.
    PageTree(std::string_view document, std::string_view plan, std::string path, Environment& environment, PageHost& host,
             const PageLimits& limits, const CompileOptions& compile);
    ~PageTree();
    PageTree(const PageTree&) = delete;
    PageTree& operator=(const PageTree&) = delete;

    Budget& budget() { return budget_; }

    // Assembles as far as it goes. False when the slice is over and there is more to do.
    bool run();

    // How a fetch ended: `body`, `plan` and `target`, where the fragment was in the end, must outlive the tree. Only the first word on
    // a fetch counts.
    void arrived(FetchId id, std::string_view body, std::string_view plan, std::string_view target);
    void failed(FetchId id, std::uint16_t status);

    // Where a URL in a document at `path` leads.
    IncludeUrl resolve(std::string_view reference, std::string_view path) const;

    Cut cut() const { return cut_; }

    struct Output {
        enum class Kind : std::uint8_t { text, wait, pause, end };
        Kind kind = Kind::end;
        std::string_view text;  // as long as the tree and what was given to it
    };
    class Reader;

private:
    struct Document;
    struct Fragment;
    struct Place;
    struct Piece;
    struct Pieces;
    struct Wanted;
    struct Processing;

    Document* new_document(std::string_view bytes, std::string_view plan, std::string_view path, unsigned depth);
    void ready(Document& document);
    void cut_off(Cut why);
    bool run(Document& document);
    void carry_out(Document& document, const Step& step);
    void refuse(Document& document, const Step& step, const char* why);
    void fetch(Document& document, const Step& step);
    Fragment& add_fragment(std::string_view target);
    Fragment* new_fragment(std::string_view target, const IncludeAttributes& attributes, const char*& why);
    Fragment* inline_part(const Document& document, std::string_view target);
    void tell_one(Fragment& fragment);
    void tell(Fragment& fragment, const Wanted& wanted);
    void stand(Place& place, Fragment& fragment, std::string_view plan, unsigned depth);
    void process(Fragment& fragment, const Wanted& wanted);
    void compile_some(Fragment& fragment);

    Budget budget_;
    Environment& environment_;
    PageHost& host_;
    const PageLimits limits_;
    const CompileOptions compile_;
    Cut cut_ = Cut::no;
    const std::string path_;
    std::pmr::vector<InPageMemory<Fragment>> fragments_;
    std::pmr::unordered_map<std::string_view, Fragment*> by_target_;
    std::pmr::unordered_map<const char*, Fragment*> parts_;  // of documents, by where their names stand
    std::uint32_t places_ = 0;  // of includes
    std::pmr::list<Fragment*> ended_;  // to be told to those who want them
    std::pmr::list<Fragment*> to_compile_;
    std::pmr::list<Document*> ready_;  // to be run on
    std::pmr::vector<InPageMemory<Document>> documents_;
    Document* root_ = nullptr;
};

// Reads the page from its beginning, as far as it is there.
class PageTree::Reader {
public:
    explicit Reader(PageTree& tree);

    Output next();

private:
    struct Frame {
        Document* document;
        const Pieces* pieces;
        Piece* const* at;  // the next piece
    };

    void read(const Pieces& pieces, Document& document);
    Output unfinished() const;
    void cut_off(Cut why);

    PageTree& tree_;
    bool cut_off_ = false;
    std::pmr::vector<Frame> frames_;
    std::size_t given_ = 0;  // bytes
};

}  // namespace larder::esi
