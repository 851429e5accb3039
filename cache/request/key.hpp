// The key of a variant, and the hash of a tag: fixed-size names for what the stores hold.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace larder {

// The first 128 bits of SHA-256 over the encoded variant. Collisions are not a matter of luck alone (clients choose URLs),
// hence a cryptographic hash; readers still compare the variant that the entry carries.
struct Key {
    std::array<unsigned char, 16> bytes{};

    bool operator==(const Key&) const = default;

    // The first 8 bytes as a number, to pick hash buckets.
    std::uint64_t bucket_hash() const {
        std::uint64_t value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    // 22 characters of base64url (RFC 4648 section 5) without padding.
    std::string text() const;
    // The inverse; nothing when `text` is not exactly such a text.
    static std::optional<Key> from_text(std::string_view text);
};

Key key_of(std::string_view encoded_variant);

// 64 bits of any text: not for what must be hard to forge.
std::uint64_t text_hash(std::string_view text);

// 64 bits of a tag's name. A tag may be any bytes; %XX in it stands for a byte, as headers and URLs can't hold all of them, so
// a tag and its percent-encoded form are one tag, whoever wrote it. The purge log and the near cache know tags by this alone; a collision purges too much, never too little.
std::uint64_t tag_hash(std::string_view tag);

// Every entry carries this tag besides its own: purging a URL purges all variants of its host and path, whatever the query.
// `host` and `path` as in Variant. Spellings that differ in the escapes of characters that separate nothing in a path, such as "(" and
// "%28", are pages of their own, but one URL to a purge: whoever names a page by its URL can't know which of them clients use.
std::uint64_t url_tag_hash(std::string_view host, std::string_view path);

// 16 lower-case hexadecimal digits, as tag hashes are written in store keys and the purge log.
std::string hash_text(std::uint64_t hash);
std::optional<std::uint64_t> hash_from_text(std::string_view text);

}  // namespace larder
