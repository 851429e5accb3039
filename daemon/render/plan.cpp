// The compiler's limits come from the policy, so that nginx and the daemon compile alike.
#include "plan.hpp"

#include "cache/response/fields.hpp"
#include "edge_includes/compile.hpp"
#include "edge_includes/page_functions.hpp"

namespace larder::daemon {

namespace {

std::string_view header(const std::vector<NamedValue>& headers, std::string_view name) {
    for (const NamedValue& header : headers) {
        if (equals_ignore_case(header.name, name)) return header.value;
    }
    return {};
}

}  // namespace

bool compile_plan(const Storability& storability, const Policy& policy, std::string_view body,
                  std::string& plan, std::string& why) {
    plan.clear();
    if (!storability.esi) return true;
    std::string_view coding = header(storability.headers, "content-encoding");
    if (!coding.empty() && !equals_ignore_case(coding, "identity")) {
        why = "an ESI document came with Content-Encoding: " + std::string(coding);
        return false;
    }
    esi::CompileOptions options;
    options.limits.document_bytes = policy.max_body;
    options.limits.includes = policy.esi_max_includes;
    options.host_functions = esi::page_functions;
    options.syntax = esi::syntax_of(header(storability.headers, "content-type"));
    esi::CompileResult result = esi::compile(body, options);
    if (result.too_large) {
        why = "an ESI document is too large";
        return false;
    }
    if (result.has_esi) plan = std::move(result.plan);
    return true;
}

}  // namespace larder::daemon
