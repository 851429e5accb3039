// hiredis parses RESP. Its object functions are replaced by ours, so that a peer can't make it allocate large or nested
// arrays.
#include "job_protocol.hpp"

#include <charconv>
#include <vector>

#include "cache/job.hpp"
#include "cache/request/key.hpp"

namespace larder::daemon {

// A request: an array of at most 5 bulk strings. hiredis wants an object for each element, too; they all get the array's.
struct JobRequest {
    std::vector<std::string> words;
};

namespace {

constexpr std::size_t max_words = 5;
constexpr std::size_t max_request_bytes = max_job_bytes + 1024;
constexpr std::int64_t longest_delay_ms = 86'400'000;

// These return nullptr for everything but an array of bulk strings, which makes the reader fail.
void* make_array(const redisReadTask* task, int elements) {
    if (task->parent != nullptr || elements < 1 || elements > static_cast<int>(max_words)) return nullptr;
    return new JobRequest();
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
    if (task->parent == nullptr || task->type != REDIS_REPLY_STRING) return nullptr;
    auto* request = static_cast<JobRequest*>(task->parent->obj);
    request->words.emplace_back(text, size);
    return request;
}

void* refuse_integer(const redisReadTask*, long long) {
    return nullptr;
}
void* refuse_nil(const redisReadTask*) {
    return nullptr;
}
void free_request(void* request) {
    delete static_cast<JobRequest*>(request);
}

redisReplyObjectFunctions functions{make_text, make_array, refuse_integer, refuse_nil, free_request};

}  // namespace

JobConversation::JobConversation(Queue& queue)
    : queue_(queue), reader_(redisReaderCreateWithFunctions(&functions)) {
    if (!reader_) throw std::runtime_error("hiredis is out of memory");
}

std::string JobConversation::answer(const JobRequest& request) {
    const auto& words = request.words;
    if (words[0] == "PING" && words.size() == 1) return "+PONG\r\n";
    if (words[0] != "ENQUEUE" || words.size() != 5)
        return "-ERR legal: PING, or ENQUEUE KEY DELAY_MS URGENT JOB\r\n";
    std::int64_t delay = 0;
    const std::string& text = words[2];
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), delay);
    bool delay_ok = error == std::errc() && end == text.data() + text.size() && delay >= -longest_delay_ms &&
                    delay <= longest_delay_ms;
    if (!delay_ok) return "-ERR DELAY_MS: legal: -86400000 to 86400000\r\n";
    if (words[3] != "0" && words[3] != "1") return "-ERR URGENT: legal: 0 or 1\r\n";
    const char* why = nullptr;
    auto job = decode_job(words[4], &why);
    if (!job) return "-ERR JOB: " + std::string(why) + "\r\n";
    if (key_of(job->variant).text() != words[1]) return "-ERR KEY: legal: the key of the job's variant\r\n";
    return "+" +
           std::string(to_string(
               queue_.enqueue(words[1], words[4], std::chrono::milliseconds(delay), words[3] == "1"))) +
           "\r\n";
}

bool JobConversation::feed(std::string_view bytes, std::string& out) {
    if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) return false;
    for (;;) {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
            out += "-ERR legal: an array of at most 5 bulk strings\r\n";
            return false;
        }
        if (reply == nullptr) break;
        std::unique_ptr<JobRequest> request(static_cast<JobRequest*>(reply));
        out += answer(*request);
    }
    if (reader_->len - reader_->pos <= max_request_bytes) return true;
    out += "-ERR the request is too long\r\n";
    return false;
}

}  // namespace larder::daemon
