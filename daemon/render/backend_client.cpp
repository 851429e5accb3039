// One transfer is one Transfer object: owned by waiting_ until the thread takes it, then by running_.
#include "backend_client.hpp"

#include <chrono>
#include <stdexcept>

#include "cache/response/fields.hpp"

namespace larder::daemon {

namespace {

constexpr std::size_t most_header_bytes = 64 * 1024;
constexpr std::size_t most_header_lines = 256;

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

struct BackendClient::Transfer {
    BackendRequest request;
    Done done;
    BackendAnswer answer;
    std::size_t header_bytes = 0;
    const char* refused = nullptr;  // why we stopped reading
    char error[CURL_ERROR_SIZE] = "";
    std::unique_ptr<curl_slist, FreeList> fields;
    std::unique_ptr<CURL, FreeEasy> easy;

    void prepare();
    static std::size_t on_header(char* line, std::size_t one, std::size_t size, void* self);
    static std::size_t on_body(char* bytes, std::size_t one, std::size_t size, void* self);
};

void BackendClient::Transfer::prepare() {
    easy.reset(curl_easy_init());
    if (!easy) throw std::runtime_error("libcurl is out of memory");
    CURL* e = easy.get();
    auto add = [this](const std::string& line) {
        fields.reset(curl_slist_append(fields.release(), line.c_str()));
    };
    bool accepts = false;
    for (const auto& [name, value] : request.fields) {
        add(value.empty() ? name + ";" : name + ": " + value);
        accepts = accepts || equals_ignore_case(name, "accept");
    }
    if (!accepts) add("Accept:");  // libcurl would add one
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(e, CURLOPT_URL, (request.origin + "/").c_str());
    curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, request.target.c_str());
    if (!request.socket_path.empty())
        curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, request.socket_path.c_str());
    curl_easy_setopt(e, CURLOPT_PROXY, "");  // whatever http_proxy says in the environment
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::max<std::int64_t>(request.timeout.count(), 1)));
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, this);
    answer.request_ms = unix_ms();
}

std::size_t BackendClient::Transfer::on_header(char* line, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    BackendAnswer& answer = transfer.answer;
    std::string_view text(line, size);
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    transfer.header_bytes += size;
    if (text.starts_with("HTTP/")) {  // a 1xx response may have come before
        answer.headers.clear();
        return size;
    }
    if (transfer.header_bytes > most_header_bytes || answer.headers.size() >= most_header_lines) {
        transfer.refused = "the header section is larger than 64 KiB or 256 lines";
        return 0;
    }
    answer.response_ms = unix_ms();
    std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return size;
    // Trailers come through here, too; they describe a body that is complete, and nothing in them may steer us.
    if (!answer.body.empty()) return size;
    answer.headers.emplace_back(text.substr(0, colon), trim_ows(text.substr(colon + 1)));
    return size;
}

std::size_t BackendClient::Transfer::on_body(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (size > transfer.request.max_body - transfer.answer.body.size()) {
        transfer.refused = "the body is larger than allowed";
        return 0;
    }
    transfer.answer.body.append(bytes, size);
    return size;
}

BackendClient::BackendClient() : multi_(curl_multi_init()) {
    if (!multi_) throw std::runtime_error("libcurl is out of memory");
    thread_ = std::thread([this] { loop(); });
}

BackendClient::~BackendClient() {
    ending_ = true;
    abort();
    thread_.join();
}

void BackendClient::abort() {
    aborted_ = true;
    curl_multi_wakeup(multi_.get());
}

void BackendClient::call(BackendRequest request, Done done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    {
        std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(transfer));
    }
    curl_multi_wakeup(multi_.get());
}

void BackendClient::start_waiting() {
    std::vector<std::unique_ptr<Transfer>> fresh;
    {
        std::lock_guard lock(mutex_);
        fresh.swap(waiting_);
    }
    for (auto& transfer : fresh) {
        transfer->prepare();
        CURL* easy = transfer->easy.get();
        running_.emplace(easy, std::move(transfer));
        curl_multi_add_handle(multi_.get(), easy);
    }
}

void BackendClient::finish(CURL* easy, CURLcode result) {
    auto found = running_.find(easy);
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    curl_multi_remove_handle(multi_.get(), easy);
    BackendAnswer& answer = transfer->answer;
    answer.took_ms = unix_ms() - answer.request_ms;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<std::uint16_t>(status);
    if (transfer->refused != nullptr) {
        answer.error = transfer->refused;
    } else if (result != CURLE_OK) {
        answer.error = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(result);
    } else if (status < 200 || status > 599) {
        answer.error = "the status is not one of a final response";
    }
    transfer->done(std::move(answer));
}

void BackendClient::fail_all() {
    start_waiting();
    while (!running_.empty()) finish(running_.begin()->first, CURLE_ABORTED_BY_CALLBACK);
}

void BackendClient::loop() {
    while (!ending_) {
        if (aborted_) {
            fail_all();
        } else {
            start_waiting();
        }
        int running = 0;
        curl_multi_perform(multi_.get(), &running);
        int left = 0;
        while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
        }
        curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
    }
    fail_all();
}

}  // namespace larder::daemon
