// The encoding and the signatures of render calls.
#include "cache/wire/render_call.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "cache/bytes.hpp"
#include "cache/request/variant.hpp"

namespace larder {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t unconditional = 1, with_policy = 2, as_visitor = 4;

constexpr std::array<std::string_view, 5> results = {"stored", "near", "unstorable", "failed", "misled"};

std::string hex_digest(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL has no SHA-256");
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; i++) text.append({digits[digest[i] >> 4], digits[digest[i] & 15]});
    return text;
}

template <typename Number>
bool take_number(std::string_view& line, Number& number) {
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc() || end == line.data() + line.size() || *end != ' ') return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
    return true;
}

}  // namespace

std::string encode_render_call(const RenderCall& call) {
    std::string bytes;
    ByteWriter out(bytes);
    out.integer(version);
    out.integer(static_cast<std::uint8_t>((call.unconditional ? unconditional : 0) |
                                          (call.policy ? with_policy : 0) | (call.as_visitor ? as_visitor : 0)));
    out.integer(call.fence);
    out.text16(call.route);
    if (call.policy) write_policy(out, *call.policy);
    out.text16(call.variant);
    return bytes;
}

std::optional<RenderCall> decode_render_call(std::string_view bytes, const char** why) {
    auto refuse = [why](const char* reason) {
        *why = reason;
        return std::nullopt;
    };
    *why = nullptr;
    if (bytes.size() > max_render_call_bytes) return refuse("render call is longer than 32768 bytes");
    ByteReader in(bytes);
    if (in.integer<std::uint8_t>() != version) return refuse("render call has an unknown version");
    auto flags = in.integer<std::uint8_t>();
    if ((flags & ~(unconditional | with_policy | as_visitor)) != 0) return refuse("render call has unknown flags");
    RenderCall call;
    call.unconditional = (flags & unconditional) != 0;
    call.as_visitor = (flags & as_visitor) != 0;
    call.fence = in.integer<std::uint64_t>();
    call.route = in.text16();
    if (call.route.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
        return refuse("render call has a route that is no field value");
    if ((flags & with_policy) != 0) {
        call.policy = read_policy(in);
        if (!call.policy) return refuse("render call has an invalid policy or is truncated");
    }
    call.variant = in.text16();
    if (!in.at_end()) return refuse("render call is truncated or has trailing bytes");
    auto variant = Variant::parse(call.variant, why);
    if (!variant) return std::nullopt;
    if (variant->method != "GET") return refuse("render call is not for a page");
    if (variant->needs_visitor()) return refuse("render call is for a page that can't be asked for without its visitor");
    return call;
}

std::string sign_render_call(std::span<const std::string> keys, std::string_view body, std::int64_t now_s) {
    std::string field, digest = hex_digest(body);
    for (const std::string& key : keys)
        field.append(field.empty() ? "" : ",").append(Signer({key}, render_salt).sign(digest, now_s));
    return field;
}

bool is_signed_render_call(const Signer& signer, std::string_view field, std::string_view body, std::int64_t now_s) {
    constexpr unsigned most_signatures = 16;  // each costs a few hashes, whoever sends it
    const std::string digest = hex_digest(body);
    for (unsigned i = 0; i < most_signatures && !field.empty(); i++) {
        std::string_view one = field.substr(0, field.find(','));
        field.remove_prefix(std::min(one.size() + 1, field.size()));
        auto value = signer.unsign(one, now_s, render_call_age_s);
        if (value && *value == digest) return true;
    }
    return false;
}

std::string encode_report(const RenderReport& report) {
    std::string line(results[static_cast<std::size_t>(report.result)]);
    line.append(" ").append(std::to_string(report.status)).append(" ");
    line.append(std::to_string(report.retry_after_s)).append(" ");
    line.append(report.key.empty() ? "-" : report.key).append(" ").append(report.detail);
    return line.append("\n");
}

std::optional<RenderReport> decode_report(std::string_view line) {
    if (line.empty() || line.back() != '\n') return std::nullopt;
    line.remove_suffix(1);
    RenderReport report;
    std::string_view word = line.substr(0, line.find(' '));
    std::size_t i = 0;
    while (i < results.size() && results[i] != word) i++;
    if (i == results.size() || word.size() == line.size()) return std::nullopt;
    report.result = static_cast<RenderResult>(i);
    line.remove_prefix(word.size() + 1);
    if (!take_number(line, report.status) || !take_number(line, report.retry_after_s)) return std::nullopt;
    std::size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0) return std::nullopt;
    report.key = line.substr(0, space);
    report.detail = line.substr(space + 1);
    return report;
}

}  // namespace larder
