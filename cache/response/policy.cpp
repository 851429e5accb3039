// The encoding of policies in jobs, render calls and Redis.
#include "cache/response/policy.hpp"

#include "cache/bytes.hpp"

namespace larder {

namespace {

void write_statuses(ByteWriter& out, const StatusSet& statuses) {
    for (unsigned status = StatusSet::first; status <= StatusSet::last; status += 8) {
        std::uint8_t bits = 0;
        for (unsigned i = 0; i < 8; i++) bits = static_cast<std::uint8_t>(bits | (statuses.has(status + i) ? 1u << i : 0));
        out.integer(bits);
    }
}

StatusSet read_statuses(ByteReader& in) {
    StatusSet statuses;
    for (unsigned status = StatusSet::first; status <= StatusSet::last; status += 8) {
        auto bits = in.integer<std::uint8_t>();
        for (unsigned i = 0; i < 8; i++) {
            if ((bits >> i & 1) != 0) statuses.add(status + i, status + i);
        }
    }
    return statuses;
}

}  // namespace

void write_policy(ByteWriter& out, const Policy& policy) {
    out.integer(static_cast<std::uint8_t>(policy.valid.size()));
    for (const ValidRule& rule : policy.valid) {
        out.integer(rule.status);
        out.integer(rule.fresh_s);
    }
    out.integer(static_cast<std::uint8_t>(policy.valid_overrides));
    out.integer(static_cast<std::uint8_t>(policy.never_stale));
    out.integer(policy.while_s);
    out.integer(policy.error_s);
    out.integer(policy.keep_s);
    out.integer(policy.heuristic_percent);
    out.integer(policy.heuristic_max_s);
    out.integer(static_cast<std::uint8_t>(policy.keep_nonces));
    out.integer(static_cast<std::uint8_t>(policy.strip_cookies.size()));
    for (const std::string& name : policy.strip_cookies) out.text16(name);
    out.integer(static_cast<std::uint8_t>(policy.targeted.size()));
    for (const std::string& name : policy.targeted) out.text16(name);
    out.integer(static_cast<std::uint8_t>(policy.esi));
    out.integer(policy.max_body);
    out.integer(policy.esi_max_includes);
    out.integer(policy.esi_max_depth);
    write_statuses(out, policy.failures.to_anybody);
    write_statuses(out, policy.failures.to_render);
}

std::optional<Policy> read_policy(ByteReader& in) {
    Policy policy;
    auto rules = in.integer<std::uint8_t>();
    if (rules > max_valid_rules) return std::nullopt;
    for (unsigned i = 0; i < rules && in.ok(); i++) {
        ValidRule rule;
        rule.status = in.integer<std::uint16_t>();
        rule.fresh_s = in.integer<std::uint32_t>();
        policy.valid.push_back(rule);
    }
    auto overrides = in.integer<std::uint8_t>();
    auto never_stale = in.integer<std::uint8_t>();
    policy.while_s = in.integer<std::uint32_t>();
    policy.error_s = in.integer<std::uint32_t>();
    policy.keep_s = in.integer<std::uint32_t>();
    policy.heuristic_percent = in.integer<std::uint8_t>();
    policy.heuristic_max_s = in.integer<std::uint32_t>();
    auto keep_nonces = in.integer<std::uint8_t>();
    auto names = in.integer<std::uint8_t>();
    if (names > max_strip_cookies || policy.heuristic_percent > 100) return std::nullopt;
    for (unsigned i = 0; i < names && in.ok(); i++) policy.strip_cookies.emplace_back(in.text16());
    policy.targeted.clear();
    auto targeted = in.integer<std::uint8_t>();
    if (targeted > max_targeted) return std::nullopt;
    for (unsigned i = 0; i < targeted && in.ok(); i++) policy.targeted.emplace_back(in.text16());
    auto esi = in.integer<std::uint8_t>();
    policy.max_body = in.integer<std::uint32_t>();
    policy.esi_max_includes = in.integer<std::uint16_t>();
    policy.esi_max_depth = in.integer<std::uint8_t>();
    policy.failures.to_anybody = read_statuses(in);
    policy.failures.to_render = read_statuses(in);
    if (!in.ok() || overrides > 1 || never_stale > 1 || keep_nonces > 1 || esi > 2)
        return std::nullopt;
    policy.valid_overrides = overrides == 1;
    policy.never_stale = never_stale == 1;
    policy.keep_nonces = keep_nonces == 1;
    policy.esi = static_cast<EsiMode>(esi);
    return policy;
}

}  // namespace larder
