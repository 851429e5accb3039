// Enqueues jobs for larderd: in Redis, or at a larderd that listens.
#pragma once

#include <functional>

#include "cache/job.hpp"
#include "cache/request/key.hpp"

namespace larder::ngx {

// duplicate: queued or running already; nobody: no larderd takes it; refused: a larderd took it lately and could not
// do it.
enum class Enqueued : std::uint8_t { queued, duplicate, nobody, refused };

// The handler may be called before this returns.
void enqueue_job(const Key& key, const Job& job, std::function<void(Enqueued)> handler);
bool has_daemon();

}  // namespace larder::ngx
