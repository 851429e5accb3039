// The compiler's limits come from the policy, which nginx sends with the job, so that nginx and larderd compile alike.
#include "plan.hpp"

#include "cache/request/key.hpp"
#include "cache/response/fields.hpp"
#include "edge_includes/page_functions.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::daemon {

namespace {

std::string_view header(const std::vector<NamedValue>& headers, std::string_view name) {
    for (const NamedValue& header : headers) {
        if (equals_ignore_case(header.name, name)) return header.value;
    }
    return {};
}

esi::CompileResult compile_text(const Storability& storability, const Policy& policy, std::string_view text) {
    return esi::compile(text, compile_options(policy, header(storability.headers, "content-type")));
}

}  // namespace

esi::CompileOptions compile_options(const Policy& policy, std::string_view content_type) {
    esi::CompileOptions options;
    options.limits.document_bytes = policy.max_body;
    options.limits.work = esi::compile_work(policy.max_body);
    options.limits.includes = policy.esi_max_includes;
    options.host_functions = esi::page_functions;
    options.syntax = esi::syntax_of(content_type);
    return options;
}

bool compile_plan(const Storability& storability, const Policy& policy, std::string_view body,
                  std::string& plan, std::string& why) {
    plan.clear();
    if (!storability.esi) return true;
    std::string_view coding = header(storability.headers, "content-encoding");
    if (!coding.empty() && !equals_ignore_case(coding, "identity")) {
        why = "an ESI document came with Content-Encoding: " + std::string(coding);
        return false;
    }
    esi::CompileResult result = compile_text(storability, policy, body);
    if (result.too_large) {
        why = "an ESI document is too large";
        return false;
    }
    if (result.has_esi) plan = std::move(result.plan);
    return true;
}

std::vector<NamedPart> named_parts(const EntryParts& page, const Storability& storability,
                                   const Policy& policy) {
    std::vector<NamedPart> parts;
    if (page.plan.empty()) return parts;
    esi::PlanView plan = esi::PlanView::trusted(page.plan);
    for (std::uint32_t i = 0; i < plan.inline_count(); i++) {
        esi::Inline named = plan.inline_fragment(i);
        std::string variant = part_variant(page.variant, named.name);
        if (variant.empty()) continue;
        std::string_view body = page.body.substr(named.offset, named.length);
        std::string part_plan = compile_text(storability, policy, body).plan;
        parts.push_back(
            {key_of(variant).text(), build_entry(part_of(page, variant, part_plan, body, named.fetchable))});
    }
    return parts;
}

}  // namespace larder::daemon
