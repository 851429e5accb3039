// Builds render calls (cache/wire/render_call.hpp). The nginx that gets one renders the page as for a visitor, stores it,
// and answers with the result.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/job.hpp"
#include "cache/wire/render_call.hpp"
#include "daemon/render/request.hpp"

namespace larder::daemon {

inline constexpr const char* nginx_name = "nginx";  // for logs, metrics and the gate

// Knows the nginx servers that can be asked to render. Thread-safe.
class NginxServers {
public:
    // The URLs of the servers, in the order in which to try them, without duplicates: the job's, then [nginx] urls, then
    // the most recent of other jobs. Remembers the job's. `of_job`: may be empty.
    std::vector<std::string> for_job(const std::string& of_job, const NginxSettings& settings);

private:
    static constexpr std::size_t most = 16;

    std::mutex mutex_;  // guards recent_
    std::vector<std::string> recent_;
};

// The request for a render call to the nginx at `url` (parse_backend_url). Returns nothing, with the reason in *why, if
// the URL is malformed. `now_s`: Unix time, for the signature.
std::optional<BackendRequest> nginx_request(const std::string& url, const RenderCall& call, const Variant& variant,
                                            const Settings& settings, std::int64_t now_s, const char** why);

}  // namespace larder::daemon
