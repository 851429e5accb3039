// Pages made by nginx: which one to ask, and how (cache/wire/render_call.hpp). It makes a page as it makes its visitors', stores it
// by itself, and says how it went.
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

// The nginx servers that are known, in the order in which they are to be asked.
class NginxServers {
public:
    // That of the job, then those of [nginx] urls, then those that other jobs have named lately. Remembers that of the job.
    std::vector<std::string> for_job(const std::string& of_job, const NginxSettings& settings);

private:
    static constexpr std::size_t most = 16;

    std::mutex mutex_;  // guards recent_
    std::vector<std::string> recent_;
};

// The call to the nginx at `url`. Nothing, and the reason in *why, where none can be made.
std::optional<BackendRequest> nginx_request(const std::string& url, const RenderCall& call, const Variant& variant,
                                            const Settings& settings, std::int64_t now_s, const char** why);

}  // namespace larder::daemon
