// The command that enqueues a job.
#include "ngx_module/stores/topics/jobs.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "cache/priority.hpp"
#include "cache/wire/redis_scripts.hpp"
#include "cache/wire/redis_wire.hpp"
#include "ngx_module/stores/nodes/registry.hpp"

namespace larder::ngx {

namespace {

void send_to_larderd(Node& node, const std::string& key, const Job& job, const std::string& delay, ReplyHandler handler) {
    std::string command;
    redis_command(command, {"ENQUEUE", key, delay, job.urgent() ? "1" : "0", encode_job(job)});
    node.send(command, 1, std::move(handler));
}

void send_to_redis(Node& node, const std::string& key, const Job& job, const std::string& delay, ReplyHandler handler) {
    static const RedisScript enqueue(redis_scripts::enqueue);
    constexpr std::string_view parts[] = {"due", "running", "dirty", "jobs", "alive", "asked"};
    RedisBatch batch;
    RedisWriter writer = batch.script(enqueue, std::size(parts), 4);
    for (std::string_view part : parts) writer.word(node.names().queue(part));
    writer.words({key, delay, encode_job(job), job.urgent() ? "1" : "0"});
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
    std::string delay = std::to_string(delay_of(job.reason).count());
    send(*node, key.text(), job, delay, [handler = std::move(handler)](const Reply* reply) {
        bool answered = reply != nullptr && (reply->kind == Reply::Kind::bytes || reply->kind == Reply::Kind::status);
        handler(answered ? enqueued_from(reply->text) : Enqueued::nobody);
    });
}

}  // namespace larder::ngx
