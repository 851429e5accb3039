// The command that enqueues a job.
#include "ngx_module/stores/topics/jobs.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "cache/priority.hpp"
#include "cache/wire/redis_commands.hpp"
#include "ngx_module/stores/nodes/registry.hpp"

namespace larder::ngx {

namespace {

void send_to_larderd(Node& node, const std::string& key, const Job& job, std::int64_t delay_ms, ReplyHandler handler) {
    std::string command;
    redis_command(command, {"ENQUEUE", key, std::to_string(delay_ms), job.urgent() ? "1" : "0", encode_job(job)});
    node.send(command, 1, std::move(handler));
}

void send_to_redis(Node& node, const std::string& key, const Job& job, std::int64_t delay_ms, ReplyHandler handler) {
    RedisBatch batch;
    redis_enqueue(batch, node.names(), key, encode_job(job), delay_ms, job.urgent());
    node.send(std::move(batch), std::move(handler));
}

Enqueued enqueued_from(std::string_view word) {
    if (word == "new" || word == "raised" || word == "dirty") return Enqueued::queued;
    if (word == "dup" || word == "running") return Enqueued::duplicate;
    if (word == "refused") return Enqueued::refused;
    return Enqueued::nobody;  // no larderd, no room ("full"), or an unknown word
}

}  // namespace

bool has_daemon() {
    return queue_node() != nullptr;
}

void enqueue_job(const Key& key, const Job& job, std::function<void(Enqueued)> handler) {
    Node* node = queue_node();
    if (node == nullptr || !node->available()) return handler(Enqueued::nobody);
    auto send = node->kind() == StoreKind::larderd ? send_to_larderd : send_to_redis;
    send(*node, key.text(), job, delay_of(job.reason).count(), [handler = std::move(handler)](const Reply* reply) {
        bool answered = reply != nullptr && (reply->kind == Reply::Kind::bytes || reply->kind == Reply::Kind::status);
        handler(answered ? enqueued_from(reply->text) : Enqueued::nobody);
    });
}

}  // namespace larder::ngx
