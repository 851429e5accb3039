// May this answer be stored, and for how long? By RFC 9111 sections 3 and 4.2, RFC 5861, RFC 9213, and
// Surrogate-Control of the Edge Architecture Specification. nginx and larderd share this decision.
//
// Freshness comes from the first of these that says anything about storing or freshness: Surrogate-Control, targeted
// fields, X-Accel-Expires, Cache-Control, Expires. Otherwise from the policy: larder_valid, then the heuristic.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/reason.hpp"
#include "cache/request/variant.hpp"
#include "cache/response/policy.hpp"
#include "cache/response/verdict.hpp"

namespace larder {

// A final answer to a GET, as the backend sent it.
struct Answer {
    std::uint16_t status = 0;
    std::vector<NamedValue> headers;  // field lines in order; names in any case
    std::int64_t request_ms = 0;      // Unix time at which the request was sent
    std::int64_t response_ms = 0;     // Unix time at which the header section was received
    bool authorized = false;          // the request had an Authorization field
    bool personal = false;            // the variant belongs to one person
    bool decodable = false;           // whoever asks can decode its content coding (decoder.hpp)
    std::string_view accepts;         // list of content codings that the backend was asked for; empty: none
    // Whether the variant holds this request header (lower-case name). Not called for Cookie, Accept-Encoding and
    // Authorization.
    std::function<bool(std::string_view)> variant_holds;
};

struct Storability {
    bool store = false;
    Reason reason = Reason::none;  // why it is not stored
    Lifetime life;            // valid if `store`
    Audience audience = Audience::without_session;  // as the answer says, stored or not
    bool esi = false;         // compile the body as ESI, stored or not
    bool stream = false;      // the answer has no end: it can only be passed on
    std::string coding;   // list of its content codings; empty: none
    bool decode = false;  // decode it first: nobody asked for the coding, or it has ESI
    bool opaque = false;   // it may have ESI, which we can't decode
    std::vector<NamedValue> headers;  // to store and to send: without hop-by-hop, surrogate and Larder-* fields
    // Lower-case names of request headers, beyond the variant, that it varies on; sorted. If stored, it answers
    // requests that have none of them.
    std::vector<std::string> vary;
    std::vector<NamedValue> steering;  // to store beside them: Surrogate-Control, targeted fields, Larder-Audience
    // Surrogate keys, without duplicates. A page with too many is not stored, as purges could not find it.
    std::vector<std::string_view> tags;

    // The only reason against storing is a coding that nobody asked for and that can't be decoded.
    bool is_unasked() const { return reason == Reason::content_encoding; }
    void refuse(Reason why) {
        store = false;
        reason = why;
    }
};

// Decides. Views in the result refer to `answer`.
Storability storability(const Policy& policy, const Answer& answer);

// The content codings of an answer, as a list in the order in which they were applied; empty: none.
std::string content_coding(const std::vector<NamedValue>& headers);

// Whether a request header (lower-case name) may be part of a key. Not those that frame, route or authorise a
// message, or that are about one answer instead of the page.
bool may_be_keyed(std::string_view name);

// Whether the policy removes this Set-Cookie field, so that the answer may be stored.
bool is_stripped_cookie(const Policy& policy, std::string_view set_cookie);

// Whether the response field describes the exact bytes of a body (RFC 9530, RFC 3230, RFC 1864), so is wrong for
// another body. Compared without case.
bool is_digest_field(std::string_view name);
// The same, for fields about the bytes of this message, which may hold only a range.
bool is_content_digest_field(std::string_view name);

// Whether the field steers Larder (Surrogate-Control, Surrogate-Key, Cache-Tag, xkey, Larder-*, the policy's targeted
// fields). Such fields are never sent to clients. Compared without case.
bool is_larder_field(const Policy& policy, std::string_view name);

}  // namespace larder
