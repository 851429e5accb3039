// The plan: an ESI document compiled once, when it is stored, into a list of operations on byte ranges of
// that document.
//
// A plan is a flat run of bytes that lives beside the document it was compiled from. It never copies the
// document: literal text is [offset, length) of it, so output is zero-copy. Layout (little-endian,
// unaligned):
//
//   header   40 bytes: magic, version, flags, plan size, document size, table sizes, CRC-32
//   ops      16 bytes each: kind, flags, code, span, a, b
//   includes 24 bytes each: src, alt, fallback, times, flags
//   inlines  16 bytes each: name, document range, flags
//   heap     strings and packed expressions, each a u32 length and its bytes; tables refer to them by offset
//
// An operation that has a body (choose, when, foreach, try, an include with a fallback, ...) is followed by
// it: `span` is the number of operations in the body, so a plan is a tree in preorder and can be skipped
// through without being decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder::esi {

inline constexpr std::uint16_t plan_version = 1;

// Nesting of operations and of expression nodes that any plan may have; the compiler's own limit is at most
// this.
inline constexpr unsigned plan_max_depth = 64;

enum class OpKind : std::uint8_t {
    literal = 1,  // a = document offset, b = length
    emit,         // a = expression: its value, escaped for where it stands, goes into the page
    include,      // a = index in the include table; body = what replaces it when src and alt both failed
    assign,       // a = name, b = expression
    choose,       // body = when... otherwise?
    when,         // a = expression, b = name that receives the groups of a match
    otherwise,
    foreach,  // a = expression (list or dictionary), b = name of the item
    break_loop,
    attempt_all,  // <esi:try>: body = attempt except*
    attempt,
    except,  // code = status it handles (404), class of statuses (5), or 0 for every failure
};

struct Op {
    OpKind kind;
    std::uint8_t flags;  // reserved, 0
    std::uint16_t code;
    std::uint32_t span;
    std::uint32_t a;
    std::uint32_t b;
};
static_assert(sizeof(Op) == 16);

// What an include asks of the host. Times absent in the markup are `unset`.
struct IncludeAttributes {
    static constexpr std::uint32_t unset = 0xffffffff;

    std::uint32_t maxwait_ms =
        unset;  // give up on the fragment (alt, then fallback) after this long; 0 = do not wait at all
    std::uint32_t ttl_s = unset;     // the fragment's freshness where its response states none
    bool no_store = false;           // never keep the fragment
    bool continue_on_error = false;  // onerror="continue": nothing in its place is better than an error
    bool process = false;  // dca="esi": treat the fragment as ESI although its response does not ask for it
    bool late_client =
        false;  // late="client": past maxwait send a placeholder, and the browser fetches the rest

    bool operator==(const IncludeAttributes&) const = default;
};

// A URL of an include: constant text, or a packed expression that gives it.
struct UrlSource {
    bool present = false;
    bool constant = false;
    std::string_view bytes;  // points into the plan
};

struct Include {
    UrlSource src;
    UrlSource alt;
    IncludeAttributes attributes;
};

// A fragment of its own inside the page (<esi:inline>): the host stores document[offset, offset+length) under
// `name`, compiled by itself. Where it stands the page shows nothing; an include of `name` shows it.
struct Inline {
    std::string_view name;  // points into the plan
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool fetchable = false;  // may clients request `name` by themselves?
};

// What a page is made of besides its document and its fragments, as bits.
using Reads = std::uint16_t;
inline constexpr Reads reads_cookies = 1;  // also of cookies that are not allowed: the markup asks
inline constexpr Reads reads_headers = 2;  // of the request, Accept-Language and User-Agent among them
inline constexpr Reads reads_query = 4;
inline constexpr Reads reads_request = 8;      // host, method, path, scheme
inline constexpr Reads reads_address = 16;     // of the client
inline constexpr Reads reads_host_names = 32;  // variables and functions of the host's
inline constexpr Reads reads_time = 64;
// $csrf_token() among them: the host may have to set the token's cookie, so before the page's header leaves.
inline constexpr Reads reads_form_token = 128;

// A validated plan; a view, so the bytes must outlive it. Copying is cheap.
class PlanView {
public:
    // Checks everything in `plan` that later reading relies on: sizes, checksum, ranges against
    // `document_size`, structure, every expression. Time is linear in the plan, no allocation. On failure
    // gives nothing and points *why (if not null) at a static text. Any bytes are safe to pass.
    static std::optional<PlanView> parse(std::string_view plan, std::size_t document_size,
                                         const char** why = nullptr);

    // For bytes that parse() has accepted before and that nobody could change since. O(1).
    static PlanView trusted(std::string_view plan);

    // The cheap way to assemble: true when every operation is a literal or an include with a constant src
    // (and constant alt, if any) and no fallback body. Then op(0)..op(op_count()-1) are all there is, in
    // output order.
    bool is_simple() const;

    // What the page's text, branches and URLs depend on, whatever branch is taken. 0: the same for every
    // request.
    Reads reads() const;

    std::uint32_t document_size() const;
    std::uint32_t op_count() const { return ops_; }
    std::uint32_t include_count() const { return includes_; }
    std::uint32_t inline_count() const { return inlines_; }

    // Precondition: index < the count.
    Op op(std::uint32_t index) const;
    Include include(std::uint32_t index) const;
    Inline inline_fragment(std::uint32_t index) const;

    // The string or packed expression that an Op's a or b refers to; points into the plan.
    std::string_view heap(std::uint32_t at) const;

    // One operation per line, nested by indentation, expressions written out. For people and tests.
    std::string to_text() const;

private:
    explicit PlanView(std::string_view plan);
    const char* check() const;

    std::string_view bytes_;
    std::uint32_t ops_ = 0;
    std::uint32_t includes_ = 0;
    std::uint32_t inlines_ = 0;
    std::uint32_t heap_size_ = 0;
    const char* op_table_ = nullptr;
    const char* include_table_ = nullptr;
    const char* inline_table_ = nullptr;
    const char* heap_ = nullptr;
};

}  // namespace larder::esi
