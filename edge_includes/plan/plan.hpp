// The plan: the form into which an ESI document is compiled, once, when it is stored: a list of operations on byte ranges
// of the document.
//
// A plan is a sequence of bytes that is stored beside its document. It contains no text of the document: literal text is a
// range of it, so that output needs no copy. Layout (little-endian, unaligned):
//
//   header   40 bytes: magic, version, flags, plan size, document size, table sizes, CRC-32
//   ops      16 bytes each: kind, flags, code, span, a, b
//   includes 24 bytes each: src, alt, maxwait, ttl, flags
//   inlines  16 bytes each: name, document range, flags
//   heap     strings and packed expressions, each a u32 length and its bytes; tables refer to them by offset
//
// An operation with a body (choose, when, foreach, try, an include with a fallback, ...) is followed by it; `span` is the
// number of operations in the body. So a plan is a tree in preorder, and a body can be skipped without decoding it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder::esi {

inline constexpr std::uint16_t plan_version = 1;

// Maximal nesting of operations in a plan. The compiler's limit is lower.
inline constexpr unsigned plan_max_depth = 64;

enum class OpKind : std::uint8_t {
    literal = 1,  // a = document offset, b = length
    emit,         // a = expression, whose value goes into the page
    include,      // a = index in the include table; body = its replacement if src and alt have both failed
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

// The attributes of an include, for the host. Times that the markup doesn't have are `unset`.
struct IncludeAttributes {
    static constexpr std::uint32_t unset = 0xffffffff;

    std::uint32_t maxwait_ms =
        unset;  // the fetch fails after this long; 0: it must not wait at all
    std::uint32_t ttl_s = unset;     // the fragment's freshness lifetime if its response has none
    bool no_store = false;           // don't store the fragment
    bool continue_on_error = false;  // onerror="continue": if it fails, leave its place empty
    bool process = false;  // dca="esi": process the fragment as ESI even if its response doesn't ask for that
    bool late_client =
        false;  // late="client": after maxwait send a placeholder, and let the browser fetch the fragment

    bool operator==(const IncludeAttributes&) const = default;
};

// A URL of an include: a constant text, or a packed expression.
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

// A named part of the document (<esi:inline>): the host stores document[offset, offset+length) as an entry of its own,
// with its own plan. It is not part of the output; an include of `name` inserts it.
struct Inline {
    std::string_view name;  // points into the plan
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool fetchable = false;  // clients may request `name` directly
};

// What a page depends on, besides its document and its fragments. A set of bits.
using Reads = std::uint16_t;
inline constexpr Reads reads_cookies = 1;  // also set for cookies that the operator has not allowed
inline constexpr Reads reads_headers = 2;  // of the request, including Accept-Language and User-Agent
inline constexpr Reads reads_query = 4;
inline constexpr Reads reads_request = 8;      // host, method, path, scheme
inline constexpr Reads reads_address = 16;     // of the client
inline constexpr Reads reads_host_names = 32;  // variables and functions of the host
inline constexpr Reads reads_time = 64;
// $csrf_token(): the host may have to set the token's cookie, so it must know before it sends the page's header.
inline constexpr Reads reads_form_token = 128;

// A validated plan. It is a view: the bytes must outlive it. Cheap to copy.
class PlanView {
public:
    // Checks everything in `plan` that reading it relies on: sizes, checksum, ranges against `document_size`, structure,
    // every expression. The bytes may be hostile. Takes linear time and allocates nothing. Returns nothing on failure,
    // with a static text in *why, if not null.
    static std::optional<PlanView> parse(std::string_view plan, std::size_t document_size,
                                         const char** why = nullptr);

    // Skips the checks, for bytes that parse() has accepted and that can't have changed since.
    static PlanView trusted(std::string_view plan);

    // True when every operation is a literal or an include with constant URLs and without a fallback. The operations are
    // then the output, in order, and the page can be assembled without an Assembler.
    bool is_simple() const;

    // What the page depends on, over all branches. 0: it is the same for every request.
    Reads reads() const;

    std::uint32_t document_size() const;
    std::uint32_t op_count() const { return ops_; }
    std::uint32_t include_count() const { return includes_; }
    std::uint32_t inline_count() const { return inlines_; }

    // Precondition: index < the count.
    Op op(std::uint32_t index) const;
    Include include(std::uint32_t index) const;
    Inline inline_fragment(std::uint32_t index) const;

    // The string or packed expression at a heap offset, which an Op's a or b contains. Points into the plan.
    std::string_view heap(std::uint32_t at) const;

    // One operation per line, indented by nesting, for people and tests.
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
