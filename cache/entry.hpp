// The entry: what is stored for one variant. One contiguous block of bytes, the same in the near cache, Redis and memcached.
//
// Layout (version 1), little-endian:
//   EntryHead | variant | tags | headers | steering | vary | plan | body
//   tags:    n × text16, names of the surrogate keys
//   headers: n × (text16 name, text32 value), as the backend sent them, less those that must not be stored
//   steering: the same for fields that steer Larder and never reach a client: what a 304 does not repeat holds on
//   vary:    n × text16, lower-case names of request headers that the answer varies on beyond the variant: a request that
//            has one of them means another variant, this one with them added
//   plan:    compiled ESI plan over the body (edge_includes/plan/plan.hpp); empty when the body has no ESI
// Stores are outside: EntryView::parse checks every length and both checksums before anything is believed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/request/variant.hpp"
#include "cache/response/verdict.hpp"

namespace larder {

inline constexpr std::uint32_t entry_magic = 0x4544524c;  // "LRDE"
inline constexpr std::uint16_t entry_version = 1;
inline constexpr std::size_t max_entry_tags = 256;
inline constexpr std::size_t max_entry_headers = 128;
inline constexpr std::size_t max_entry_vary = 16;

enum class EntryKind : std::uint16_t {
    answer,     // of the backend, to this variant
    marker,     // no answer, just the vary list for who has none of those headers
    part,       // a named part of another page (<esi:inline>), for includes alone
    open_part,  // ... and for clients, too
};

// Whom the page is for, of those who share its variant.
enum class Audience : std::uint8_t {
    without_session,  // visitors without a session (CookieClass::presence)
    everybody,        // as the answer said: Larder-Audience
};

// Whose request it was made for. Files that everybody can read are made of entries of the second kind alone.
enum class MadeFor : std::uint8_t {
    visitor,  // somebody whom nginx's access rules had let in
    anybody,  // a request that said nothing of who asks, and was let in all the same
};

struct EntryHead {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t status;     // HTTP status code
    std::uint32_t render_ms;  // how long the backend took
    std::uint32_t steering_size;
    std::uint32_t vary_size;
    std::uint16_t kind;       // an EntryKind
    std::uint8_t audience;    // an Audience
    std::uint8_t made_for;    // a MadeFor
    std::int64_t created_ms;  // Unix time the request for this render was sent
    Lifetime life;
    std::uint64_t fence;  // the newest purge sequence known when the render began (see purge.hpp)
    std::uint32_t variant_size;
    std::uint32_t tags_size;
    std::uint32_t headers_size;
    std::uint32_t plan_size;
    std::uint64_t body_size;
    std::uint64_t meta_checksum;  // XXH3 of the head up to here, variant, tags, headers and plan
    std::uint64_t body_checksum;  // XXH3 of the body
};
static_assert(sizeof(EntryHead) == 120 && offsetof(EntryHead, created_ms) == 24 &&
                  offsetof(EntryHead, fence) == 72,
              "a stored format: redis_scripts.hpp reads created_ms and fence at these offsets");

// A checked, non-owning look at an entry's bytes.
class EntryView {
public:
    // Full check of hostile bytes. Returns nothing, and the reason in *why, unless they are exactly one entry.
    static std::optional<EntryView> parse(std::string_view bytes, const char** why);

    // For bytes that were parsed before and kept where only we write (the near cache): reads the head, checks nothing. The
    // entry's prefix is enough for all but body().
    static EntryView trusted(std::string_view bytes);

    const EntryHead& head() const { return head_; }
    EntryKind kind() const { return static_cast<EntryKind>(head_.kind); }
    bool is_everybodys() const { return head_.audience == static_cast<std::uint8_t>(Audience::everybody); }
    bool is_for_anybody() const { return head_.made_for == static_cast<std::uint8_t>(MadeFor::anybody); }
    std::string_view bytes() const { return bytes_; }
    std::string_view variant() const { return section(0, head_.variant_size); }
    std::string_view plan() const { return section(before_vary() + head_.vary_size, head_.plan_size); }
    // What precedes the body.
    std::size_t prefix_size() const {
        return sizeof(EntryHead) + before_vary() + head_.vary_size + head_.plan_size;
    }
    // As much of the body as the view has. All of it, unless trusted() was given less (see near/zone.hpp).
    std::string_view body() const { return bytes_.substr(prefix_size()); }

    // Calls f(name) for each tag, f(name, value) for each header, in stored order.
    template <typename F>
    void each_tag(F&& f) const;
    template <typename F>
    void each_header(F&& f) const;
    template <typename F>
    void each_steering(F&& f) const;
    template <typename F>
    void each_vary(F&& f) const;
    // The first header of that name, in any case; empty if there is none.
    std::string_view header(std::string_view name) const;

private:
    EntryView(const EntryHead& head, std::string_view bytes) : head_(head), bytes_(bytes) {}
    std::size_t before_vary() const {
        return std::size_t{head_.variant_size} + head_.tags_size + head_.headers_size + head_.steering_size;
    }
    template <typename F>
    static void each_field(std::string_view section, F&& f);
    std::string_view section(std::size_t offset, std::size_t size) const {
        return bytes_.substr(sizeof(EntryHead) + offset, size);
    }

    EntryHead head_;
    std::string_view bytes_;
};

struct EntryParts {
    std::uint16_t status = 200;
    std::uint32_t render_ms = 0;
    std::int64_t created_ms = 0;
    Lifetime life;
    std::uint64_t fence = 0;
    std::string_view variant;            // encoded
    std::vector<std::string_view> tags;  // at most max_entry_tags
    std::vector<NamedValue> headers;     // at most max_entry_headers
    std::vector<NamedValue> steering{};  // the same
    std::vector<std::string> vary{};     // at most max_entry_vary
    EntryKind kind = EntryKind::answer;
    Audience audience = Audience::without_session;
    MadeFor made_for = MadeFor::visitor;
    std::string_view plan;
    std::string_view body;
};

// A named part of a page: an entry of its own, of the variant part_variant() gives, without what is said of the page's body. It
// lives and dies with the page's times and tags. `body` is of the page's body.
EntryParts part_of(const EntryParts& page, std::string_view variant, std::string_view plan,
                   std::string_view body, bool open);

// Everything of the entry but the body, checksums included: what precedes the body's bytes.
std::string entry_prefix(const EntryParts& parts);
// The whole entry: the prefix and the body.
std::string build_entry(const EntryParts& parts);

// Hashes of an entry's tags and of its URL (key.hpp): what a purge of it would name.
void each_purge_hash(const EntryView& entry, const std::function<void(std::uint64_t)>& f);
// The same for an answer that is no entry yet.
std::vector<std::uint64_t> purge_hashes(std::string_view variant, const std::vector<std::string_view>& tags);

}  // namespace larder

#include "cache/bytes.hpp"

namespace larder {

template <typename F>
void EntryView::each_tag(F&& f) const {
    ByteReader in(section(head_.variant_size, head_.tags_size));
    while (!in.at_end() && in.ok()) f(in.text16());
}

template <typename F>
void EntryView::each_vary(F&& f) const {
    ByteReader in(section(before_vary(), head_.vary_size));
    while (!in.at_end() && in.ok()) f(in.text16());
}

template <typename F>
void EntryView::each_header(F&& f) const {
    each_field(section(head_.variant_size + head_.tags_size, head_.headers_size), f);
}

template <typename F>
void EntryView::each_steering(F&& f) const {
    each_field(section(head_.variant_size + head_.tags_size + head_.headers_size, head_.steering_size), f);
}

template <typename F>
void EntryView::each_field(std::string_view section, F&& f) {
    ByteReader in(section);
    while (!in.at_end() && in.ok()) {
        std::string_view name = in.text16();
        std::string_view value = in.text32();
        f(name, value);
    }
}

}  // namespace larder
