// Assembles a page: its document and all documents that it includes, nested, within one budget. Does no I/O: the host fetches
// and sends. nginx and larderd both use it, so that both make the same page.
//
// How a host drives it, in each turn of its event loop: it calls budget().begin_slice(), then run(), which calls
// PageHost::fetch() for each fragment that the page needs, then Reader::next() for the output so far. It reports the end
// of each fetch by arrived() or failed(), at any time, but not from within a call of the tree. When run() or next() return
// that the slice is used up, it goes on in the next turn.
//
// Each URL is fetched once. A fragment that is a document itself is assembled anew at each place that includes it. The
// number of places, over all documents, is limited; that bounds the number of documents and the output.
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

using FetchId = std::uint32_t;  // identifies a fragment; dense from 0

struct PageLimits {
    unsigned depth = 5;              // of nested documents
    std::uint32_t includes = 256;    // places, over all documents
    std::size_t output = 64u << 20;  // bytes
    BudgetLimits budget{};
};

// The limit at which the page was cut off.
enum class Cut : std::uint8_t { no, output, memory };

class PageHost {
public:
    virtual ~PageHost() = default;

    // Starts to fetch `target` (path and query; valid as long as the tree). `attributes`: of the first include of this
    // URL. Returns null, or why it can't be fetched.
    virtual const char* fetch(FetchId id, std::string_view target, const IncludeAttributes& attributes) = 0;
    // The include of `url` (as written) has failed without a fetch.
    virtual void refused(std::string_view url, const char* why) = 0;
    // A mandatory include has failed: its place stays empty.
    virtual void left_out() = 0;
    // A fragment is a document, and is assembled with this (trusted) plan.
    virtual void uses(std::string_view plan) = 0;
    // An error in a document that the tree has compiled itself.
    virtual void reported(const Report& report) = 0;
};

class PageTree {
public:
    // `document`, `plan` (a trusted one, or empty), the environment and the host must outlive the tree. `path`: the page's
    // path, the base of relative URLs. `compile`: options for fragments that came without a plan and are to be processed
    // as ESI.
    PageTree(std::string_view document, std::string_view plan, std::string path, Environment& environment, PageHost& host,
             const PageLimits& limits, const CompileOptions& compile);
    ~PageTree();
    PageTree(const PageTree&) = delete;
    PageTree& operator=(const PageTree&) = delete;

    Budget& budget() { return budget_; }

    // Assembles as far as possible. Returns false when the slice is used up and there is more to do.
    bool run();

    // Report the end of a fetch; only the first call for each fetch has an effect. `body`, `plan` (a trusted one, or
    // empty) and `target` (the fragment's URL after redirects) must outlive the tree. `status`: 0 if there was no response.
    void arrived(FetchId id, std::string_view body, std::string_view plan, std::string_view target);
    void failed(FetchId id, std::uint16_t status);

    // Resolves a URL in the document at `path`.
    IncludeUrl resolve(std::string_view reference, std::string_view path) const;

    Cut cut() const { return cut_; }

    struct Output {
        // wait: for fetches. pause: the slice is used up. end: of the page, or it was cut off.
        enum class Kind : std::uint8_t { text, wait, pause, end };
        Kind kind = Kind::end;
        std::string_view text;  // valid as long as the tree and the bytes that were given to it
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
    std::pmr::unordered_map<const char*, Fragment*> parts_;  // <esi:inline> parts, by the address of their name in a plan
    std::uint32_t places_ = 0;  // number of includes so far
    std::pmr::list<Fragment*> ended_;  // fetched, but not all includes of them know it yet
    std::pmr::list<Fragment*> to_compile_;
    std::pmr::list<Document*> ready_;  // documents that can go on
    std::pmr::vector<InPageMemory<Document>> documents_;
    Document* root_ = nullptr;
};

// Reads the page's output from its beginning.
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
