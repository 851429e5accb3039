// Fixed-size names: the key of a variant, and hashes of tags and URLs.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace larder {

// The first 128 bits of the SHA-256 of the encoded variant. The hash is cryptographic because clients choose URLs and
// could search for collisions. Readers compare the variant in the entry nonetheless.
struct Key {
    std::array<unsigned char, 16> bytes{};

    bool operator==(const Key&) const = default;

    // The first 8 bytes as a number, for hash tables.
    std::uint64_t bucket_hash() const {
        std::uint64_t value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    // 22 characters of base64url (RFC 4648 section 5), without padding.
    std::string text() const;
    // The inverse. nullopt if `text` is not exactly the text of a key.
    static std::optional<Key> from_text(std::string_view text);
};

Key key_of(std::string_view encoded_variant);

// A fast 64-bit hash. Not cryptographic.
std::uint64_t text_hash(std::string_view text);

// The 64-bit hash of a tag's name. A tag may contain any bytes. Headers and URLs can't, so %XX in a name stands for a
// byte, and a tag and its percent-encoded form are the same tag. The purge log and the near cache know tags only by
// this hash: a collision purges too much, never too little.
std::uint64_t tag_hash(std::string_view tag);

// The hash of the tag that every entry has for its URL. Purging a URL purges all variants of its host and path,
// whatever the query. `host` and `path` as in Variant. Paths that differ only in escapes of characters that separate
// nothing ("(" and "%28") are different pages but have the same hash: whoever purges a URL can't know which spelling
// clients use.
std::uint64_t url_tag_hash(std::string_view host, std::string_view path);

// 16 lower-case hexadecimal digits, the form of hashes in store keys and the purge log.
std::string hash_text(std::uint64_t hash);
std::optional<std::uint64_t> hash_from_text(std::string_view text);

}  // namespace larder
