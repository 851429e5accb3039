// May this answer be stored, and for how long? RFC 9111 sections 3 and 4.2, RFC 5861, RFC 9213 and the Edge Architecture
// Specification's Surrogate-Control. The same decision in nginx and in the daemon.
//
// Precedence of freshness: Surrogate-Control, then targeted fields, then X-Accel-Expires, then Cache-Control, then Expires, then
// the policy; a field that says something about storing or freshness silences those after it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/request/variant.hpp"
#include "cache/response/policy.hpp"
#include "cache/response/verdict.hpp"

namespace larder {

// A final answer to a GET, as the backend sent it.
struct Answer {
    std::uint16_t status = 0;
    std::vector<NamedValue> headers;  // field lines in order; names in any case
    std::int64_t request_ms = 0;      // Unix time the request was sent
    std::int64_t response_ms = 0;     // Unix time the header section was received
    bool authorized = false;          // the request carried Authorization
    bool personal = false;            // the variant is one person's
    bool decodable = false;           // who asks can undo its content coding (decoder.hpp)
    std::string_view accepts;         // the content codings that the backend was asked for, as a list; empty: none
    // Whether the variant holds this request header (lower-case name). Cookie, Accept-Encoding and Authorization are not asked about.
    std::function<bool(std::string_view)> variant_holds;
};

struct Storability {
    bool store = false;
    const char* reason = "";  // a short word for logs and Cache-Status detail, e.g. "set-cookie", "private"
    Lifetime life;            // valid when store
    Audience audience = Audience::without_session;  // as the answer says, stored or not
    bool esi = false;         // compile the body as ESI, stored or not
    bool stream = false;      // it has no end, so that nothing can be made of it but to pass it on
    std::string coding;   // the content codings that it came in, as a list; empty: none
    bool decode = false;  // ... are to be undone first: nobody asked for them, or a page's fragments are in it
    bool unasked = false;  // ... refuse it, and nothing else does: they can't be undone, and nobody asked for them
    bool opaque = false;   // ... hide whatever ESI it has, as they can't be undone
    std::vector<NamedValue>
        headers;  // to store and to send: hop-by-hop, surrogate and Larder-* fields removed
    std::vector<std::string>
        vary;  // lower-case names of request headers beyond the variant that it varies on, sorted. If it is stored, it
               // answers requests that have none of them
    std::vector<NamedValue> steering;  // to store beside them: Surrogate-Control, targeted fields, Larder-Audience
    std::vector<std::string_view>
        tags;  // surrogate keys without duplicates; a page with too many is not stored, as a purge
               // could not find it

    void refuse(const char* why) {
        store = false;
        reason = why;
    }
};

// Views in the result point into `answer`.
Storability storability(const Policy& policy, const Answer& answer);

// All content codings of an answer, in the order of their use, as a list; empty: none.
std::string content_coding(const std::vector<NamedValue>& headers);

// Whether a request header may be in a key at all; name in lower case. Those that frame, route or authorise a message, or are
// about one answer and not the page, may not.
bool may_be_keyed(std::string_view name);

// Whether the policy has this Set-Cookie field removed from an answer, so that the answer may be stored.
bool is_stripped_cookie(const Policy& policy, std::string_view set_cookie);

// Whether this response field is about the very bytes of a body (RFC 9530, RFC 3230, RFC 1864), and wrong when another body stands
// in its place. Name in any case.
bool is_digest_field(std::string_view name);
// ... and about those of this message, which may be a part of a body.
bool is_content_digest_field(std::string_view name);

// True for fields that steer Larder (Surrogate-Control, Surrogate-Key, Cache-Tag, xkey, Larder-*, the policy's targeted fields):
// they never reach a client. Name in any case.
bool is_larder_field(const Policy& policy, std::string_view name);

}  // namespace larder
