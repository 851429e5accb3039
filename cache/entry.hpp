// The entry: what is stored for one variant, as one sequence of bytes. It is the same in the near cache, Redis and
// memcached.
//
// Layout (version 1), little-endian:
//   EntryHead | variant | tags | headers | steering | vary | plan | body
//   tags: n * text16, names of the surrogate keys
//   headers: n * (text16 name, text32 value), as the backend sent them, without those that must not be stored
//   steering: the same, fields that steer Larder and are never sent to clients; a 304 that lacks them leaves them in
//     force
//   vary: n * text16, lower-case names of request headers, beyond the variant, that the answer varies on: a request
//     with one of them has another variant, which is this one plus these headers
//   plan: compiled ESI plan of the body (edge_includes/plan/plan.hpp); empty if the body has no ESI
//
// Stores are not trusted: EntryView::parse checks every length and both checksums first.
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
    answer,     // the backend's answer to this variant
    marker,     // no answer; only the vary list, for requests without these headers
    part,       // a named part of a page (<esi:inline>), only for includes
    open_part,  // the same, also for clients
};

// For which of the visitors who share its variant the page is.
enum class Audience : std::uint8_t {
    without_session,  // those without a session (CookieClass::presence)
    everybody,        // all, as the answer says by Larder-Audience
};

// Whose request the entry was made for. Files that everybody can read are made only of entries for anybody.
enum class MadeFor : std::uint8_t {
    visitor,  // a visitor's, who passed nginx's access rules
    anybody,  // one that names no visitor, and passed the rules as well
};

struct EntryHead {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t status;     // HTTP status code
    std::uint32_t render_ms;  // time that the backend took
    std::uint32_t steering_size;
    std::uint32_t vary_size;
    std::uint16_t kind;       // an EntryKind
    std::uint8_t audience;    // an Audience
    std::uint8_t made_for;    // a MadeFor
    std::int64_t created_ms;  // Unix time at which the backend was asked
    Lifetime life;
    std::uint64_t fence;  // newest purge sequence that was known when the backend was asked (decision 004)
    std::uint32_t variant_size;
    std::uint32_t tags_size;
    std::uint32_t headers_size;
    std::uint32_t plan_size;
    std::uint64_t body_size;
    std::uint64_t meta_checksum;  // XXH3 of the head before this field, variant, tags, headers, steering, vary and plan
    std::uint64_t body_checksum;  // XXH3 of the body
};
static_assert(sizeof(EntryHead) == 120 && offsetof(EntryHead, created_ms) == 24 &&
                  offsetof(EntryHead, fence) == 72,
              "a stored format: redis_scripts.hpp reads created_ms and fence at these offsets");

// A checked view of an entry's bytes, which it does not own.
class EntryView {
public:
    // Checks untrusted bytes completely. nullopt, and the reason in *why, unless they are exactly one entry.
    static std::optional<EntryView> parse(std::string_view bytes, const char** why);

    // For bytes that were parsed before and can't have changed since (the near cache). Reads the head and checks
    // nothing. The bytes may end anywhere after the prefix; then body() is shorter.
    static EntryView trusted(std::string_view bytes);

    const EntryHead& head() const { return head_; }
    EntryKind kind() const { return static_cast<EntryKind>(head_.kind); }
    bool is_everybodys() const { return head_.audience == static_cast<std::uint8_t>(Audience::everybody); }
    bool is_for_anybody() const { return head_.made_for == static_cast<std::uint8_t>(MadeFor::anybody); }
    std::string_view bytes() const { return bytes_; }
    std::string_view variant() const { return section(0, head_.variant_size); }
    std::string_view plan() const { return section(before_vary() + head_.vary_size, head_.plan_size); }
    // Bytes before the body.
    std::size_t prefix_size() const {
        return sizeof(EntryHead) + before_vary() + head_.vary_size + head_.plan_size;
    }
    // The part of the body that the view has. All of it, unless trusted() was given only a first piece
    // (near/zone.hpp).
    std::string_view body() const { return bytes_.substr(prefix_size()); }

    // These call f(name) for each tag or vary name, and f(name, value) for each header, in stored order.
    template <typename F>
    void each_tag(F&& f) const;
    template <typename F>
    void each_header(F&& f) const;
    template <typename F>
    void each_steering(F&& f) const;
    template <typename F>
    void each_vary(F&& f) const;
    // The value of the first header of that name, compared without case; empty if there is none.
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
    std::vector<NamedValue> steering{};  // at most max_entry_headers
    std::vector<std::string> vary{};     // at most max_entry_vary
    EntryKind kind = EntryKind::answer;
    Audience audience = Audience::without_session;
    MadeFor made_for = MadeFor::visitor;
    std::string_view plan;
    std::string_view body;
};

// Makes a named part of a page an entry of its own, under the variant of part_variant(). It takes over the page's
// times and tags, but not the headers that describe the page's body. `body` is a piece of the page's body. `open`:
// clients may request it, too.
EntryParts part_of(const EntryParts& page, std::string_view variant, std::string_view plan,
                   std::string_view body, bool open);

// The bytes of the entry before the body, with all checksums.
std::string entry_prefix(const EntryParts& parts);
// The complete entry.
std::string build_entry(const EntryParts& parts);

// Calls f with the hashes (key.hpp) by which a purge could name the entry: of its URL, and of each tag.
void each_purge_hash(const EntryView& entry, const std::function<void(std::uint64_t)>& f);
// The same hashes, for an answer that is not an entry yet.
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
