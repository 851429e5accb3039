// The job socket's protocol, with good and bad peers.
#include "daemon/queue/job_protocol.hpp"

#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "cache/request/variant.hpp"
#include "daemon/queue/memory_queue.hpp"
#include "tests/cmocka.hpp"

using namespace larder;
using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {

MemoryQueue& queue() {
    static MemoryQueue queue(QueueLimits(), 100);
    queue.announce(1h);
    return queue;
}

std::string resp(const std::vector<std::string>& words) {
    std::string out = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    return out;
}

Job some_job(const char* path) {
    Variant variant{.method = "GET",
                    .scheme = "http",
                    .host = "example.com",
                    .path = path,
                    .query = {},
                    .cookies = {},
                    .headers = {}};
    Job job;
    job.variant = variant.encode();
    return job;
}

std::string enqueue(const Job& job, const std::string& delay = "0", const std::string& urgent = "0") {
    return resp({"ENQUEUE", key_of(job.variant).text(), delay, urgent, encode_job(job)});
}

// The replies, followed by "!" if the connection is to be closed.
std::string said(std::string_view bytes) {
    JobConversation conversation(queue());
    std::string out;
    bool stays = conversation.feed(bytes, out);
    return out + (stays ? "" : "!");
}

}  // namespace

TEST(ping_and_enqueue_are_answered_in_order) {
    Job job = some_job("/in-order");
    assert_text_equal(said(resp({"PING"}) + enqueue(job) + enqueue(job) + enqueue(job, "-5000")),
                      "+PONG\r\n+new\r\n+dup\r\n+raised\r\n");
}

TEST(requests_may_be_cut_anywhere) {
    std::string bytes = enqueue(some_job("/cut")) + resp({"PING"});
    JobConversation conversation(queue());
    std::string out;
    for (char c : bytes) assert_true(conversation.feed({&c, 1}, out));
    assert_text_equal(out, "+new\r\n+PONG\r\n");
}

TEST(a_wrong_request_gets_an_error_and_the_conversation_goes_on) {
    Job job = some_job("/wrong");
    std::string key = key_of(job.variant).text();
    assert_text_equal(said(resp({"FLUSHALL"}) + resp({"PING"})),
                      "-ERR legal: PING, or ENQUEUE KEY DELAY_MS URGENT JOB\r\n+PONG\r\n");
    assert_text_equal(said(enqueue(job, "soon")), "-ERR DELAY_MS: legal: -86400000 to 86400000\r\n");
    assert_text_equal(said(enqueue(job, "0", "2")), "-ERR URGENT: legal: 0 or 1\r\n");
    assert_text_equal(said(resp({"ENQUEUE", key, "0", "0", "junk"})),
                      "-ERR JOB: job has an unknown version\r\n");
    assert_text_equal(said(resp({"ENQUEUE", "another", "0", "0", encode_job(job)})),
                      "-ERR KEY: legal: the key of the job's variant\r\n");
    assert_text_equal(said(resp({"ENQUEUE", key, "0", "0"})),
                      "-ERR legal: PING, or ENQUEUE KEY DELAY_MS URGENT JOB\r\n");
}

TEST(what_is_no_request_ends_the_conversation) {
    constexpr char goodbye[] = "-ERR legal: an array of at most 5 bulk strings\r\n!";
    for (const char* bytes : {"GET / HTTP/1.1\r\n", "*1000000000\r\n", "*-1\r\n", "*0\r\n", "$4\r\nPING\r\n",
                              ":1\r\n", "*1\r\n*1\r\n$4\r\nPING\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n",
                              "*6\r\n$1\r\na\r\n", "*2147483647\r\n", "*1\r\n+PING\r\n"}) {
        assert_text_equal(said(bytes), goodbye);
    }
}

TEST(a_request_that_never_ends_is_cut_off) {
    assert_text_equal(said("*5\r\n$999999999\r\n" + std::string(40'000, 'x')),
                      "-ERR the request is too long\r\n!");
    assert_text_equal(said("*" + std::string(40'000, '1')), "-ERR the request is too long\r\n!");
}

TEST_MAIN("job_protocol")
