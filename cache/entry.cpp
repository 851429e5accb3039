// Builds and checks entries.
#include "cache/entry.hpp"

#include <algorithm>

#include "cache/request/key.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/storable.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace larder {

namespace {

constexpr std::size_t checked_head_bytes = offsetof(EntryHead, meta_checksum);

// `sections`: the bytes between head and body.
std::uint64_t meta_checksum(const EntryHead& head, std::string_view sections) {
    std::uint64_t seed = XXH3_64bits(&head, checked_head_bytes);
    return XXH3_64bits_withSeed(sections.data(), sections.size(), seed);
}

bool well_formed_names(std::string_view section, std::size_t most) {
    ByteReader in(section);
    std::size_t count = 0;
    while (in.ok() && !in.at_end()) {
        if (in.text16().empty() || ++count > most) return false;
    }
    return in.ok();
}

bool field_is_safe(std::string_view name, std::string_view value) {
    if (name.empty()) return false;
    for (unsigned char c : name) {
        if (c <= 0x20 || c == ':' || c >= 0x7f) return false;
    }
    // CR, LF and NUL end or split a field line (RFC 9110 section 5.5).
    return std::none_of(value.begin(), value.end(),
                        [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool well_formed_headers(std::string_view section) {
    ByteReader in(section);
    std::size_t count = 0;
    while (in.ok() && !in.at_end()) {
        std::string_view name = in.text16();
        std::string_view value = in.text32();
        if (!in.ok() || !field_is_safe(name, value) || ++count > max_entry_headers) return false;
    }
    return in.ok();
}

std::string encoded_fields(const std::vector<NamedValue>& fields) {
    std::string bytes;
    ByteWriter out(bytes);
    for (const NamedValue& field : fields) {
        out.text16(field.name);
        out.text32(field.value);
    }
    return bytes;
}

std::uint64_t url_hash(std::string_view variant) {
    ByteReader in(variant);
    in.integer<std::uint8_t>();
    in.text16();
    in.text16();
    std::string_view host = in.text16();
    std::string_view path = in.text16();
    return url_tag_hash(host, path);
}

bool sane_times(const Lifetime& life) {
    constexpr std::int64_t century_ms = 100LL * 366 * 86400 * 1000;
    for (std::int64_t span : {life.fresh_ms, life.while_ms, life.error_ms, life.keep_ms}) {
        if (span < 0 || span > century_ms) return false;
    }
    return is_instant(life.base_ms);
}

}  // namespace

std::optional<EntryView> EntryView::parse(std::string_view bytes, const char** why) {
    auto refuse = [why](const char* reason) {
        *why = reason;
        return std::nullopt;
    };
    *why = nullptr;
    if (bytes.size() < sizeof(EntryHead)) return refuse("entry is shorter than its head");
    EntryHead head;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.magic != entry_magic) return refuse("not an entry");
    if (head.version != entry_version) return refuse("entry has an unknown version");
    // Each section is shorter than 4 GiB, so the sum can't overflow 64 bits. body_size could, so compare it by
    // subtraction.
    std::uint64_t meta_size = std::uint64_t{head.variant_size} + head.tags_size + head.headers_size +
                              head.steering_size + head.vary_size + head.plan_size;
    std::uint64_t rest = bytes.size() - sizeof(EntryHead);
    if (meta_size > rest || head.body_size != rest - meta_size)
        return refuse("entry is truncated or too long");
    EntryView view(head, bytes);
    std::string_view sections = bytes.substr(sizeof(EntryHead), meta_size);
    if (meta_checksum(head, sections) != head.meta_checksum) return refuse("entry's head fails its checksum");
    std::string_view body = view.body();
    if (XXH3_64bits(body.data(), body.size()) != head.body_checksum)
        return refuse("entry's body fails its checksum");
    if (head.status < 200 || head.status > 599) return refuse("entry has an invalid status");
    if (!is_instant(head.created_ms) || !sane_times(head.life)) return refuse("entry has impossible times");
    if (!Variant::parse(view.variant(), why)) return std::nullopt;
    if (!well_formed_names(view.section(head.variant_size, head.tags_size), max_entry_tags))
        return refuse("entry has malformed tags");
    if (!well_formed_names(view.section(view.before_vary(), head.vary_size), max_entry_vary) ||
        head.kind > static_cast<std::uint16_t>(EntryKind::open_part))
        return refuse("entry has a malformed vary list");
    if (head.audience > static_cast<std::uint8_t>(Audience::everybody))
        return refuse("entry is for an unknown audience");
    if (head.made_for > static_cast<std::uint8_t>(MadeFor::anybody))
        return refuse("entry was made for nobody known");
    std::size_t headers_at = head.variant_size + head.tags_size;
    if (!well_formed_headers(view.section(headers_at, head.headers_size)) ||
        !well_formed_headers(view.section(headers_at + head.headers_size, head.steering_size))) {
        return refuse("entry has malformed headers");
    }
    return view;
}

EntryView EntryView::trusted(std::string_view bytes) {
    EntryHead head;
    std::memcpy(&head, bytes.data(), sizeof head);
    return EntryView(head, bytes);
}

std::string_view EntryView::header(std::string_view name) const {
    std::string_view found;
    each_header([&](std::string_view n, std::string_view value) {
        if (found.empty() && equals_ignore_case(n, name)) found = value;
    });
    return found;
}

EntryParts part_of(const EntryParts& page, std::string_view variant, std::string_view plan,
                   std::string_view body, bool open) {
    EntryParts part = page;
    part.kind = open ? EntryKind::open_part : EntryKind::part;
    part.variant = variant;
    part.plan = plan;
    part.body = body;
    part.steering.clear();
    part.vary.clear();
    part.life.keep_ms = 0;
    std::erase_if(part.headers, [](const NamedValue& header) {
        return equals_ignore_case(header.name, "ETag") || equals_ignore_case(header.name, "Last-Modified") ||
               is_digest_field(header.name);
    });
    return part;
}

std::string entry_prefix(const EntryParts& parts) {
    std::string tags;
    ByteWriter tags_out(tags);
    for (std::string_view tag : parts.tags) tags_out.text16(tag);
    std::string headers = encoded_fields(parts.headers);
    std::string steering = encoded_fields(parts.steering);
    std::string vary;
    ByteWriter vary_out(vary);
    for (const std::string& name : parts.vary) vary_out.text16(name);
    EntryHead head{};
    head.magic = entry_magic;
    head.version = entry_version;
    head.status = parts.status;
    head.render_ms = parts.render_ms;
    head.created_ms = parts.created_ms;
    head.life = parts.life;
    head.fence = parts.fence;
    head.variant_size = static_cast<std::uint32_t>(parts.variant.size());
    head.tags_size = static_cast<std::uint32_t>(tags.size());
    head.headers_size = static_cast<std::uint32_t>(headers.size());
    head.steering_size = static_cast<std::uint32_t>(steering.size());
    head.vary_size = static_cast<std::uint32_t>(vary.size());
    head.kind = static_cast<std::uint16_t>(parts.kind);
    head.audience = static_cast<std::uint8_t>(parts.audience);
    head.made_for = static_cast<std::uint8_t>(parts.made_for);
    head.plan_size = static_cast<std::uint32_t>(parts.plan.size());
    head.body_size = parts.body.size();
    head.body_checksum = XXH3_64bits(parts.body.data(), parts.body.size());

    std::string out(sizeof head, '\0');
    out.append(parts.variant).append(tags).append(headers).append(steering).append(vary).append(parts.plan);
    head.meta_checksum = meta_checksum(head, std::string_view(out).substr(sizeof head));
    std::memcpy(out.data(), &head, sizeof head);
    return out;
}

std::string build_entry(const EntryParts& parts) {
    std::string out = entry_prefix(parts);
    out.append(parts.body);
    return out;
}

void each_purge_hash(const EntryView& entry, const std::function<void(std::uint64_t)>& f) {
    f(url_hash(entry.variant()));
    entry.each_tag([&f](std::string_view tag) { f(tag_hash(tag)); });
}

std::vector<std::uint64_t> purge_hashes(std::string_view variant, const std::vector<std::string_view>& tags) {
    std::vector<std::uint64_t> hashes{url_hash(variant)};
    for (std::string_view tag : tags) hashes.push_back(tag_hash(tag));
    return hashes;
}

}  // namespace larder
