// Each request is a Transfer object, owned by waiting_ until the thread starts it, then by running_.
#include "backend_client.hpp"

#include <algorithm>
#include <charconv>
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
    int status = 0;  // of the newest header section
    bool head_is_complete = false;
    const char* refused = nullptr;  // why we aborted the transfer
    char error[CURL_ERROR_SIZE] = "";
    std::unique_ptr<curl_slist, FreeList> fields, connect_to;
    std::unique_ptr<CURL, FreeEasy> easy;

    void prepare();
    bool take_header(std::string_view line);
    bool take_body(std::string_view bytes);

    // A callback for libcurl. It must not throw, because libcurl is C.
    template <bool (Transfer::*take)(std::string_view)>
    static std::size_t on(char* bytes, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        try {
            return (transfer.*take)({bytes, size}) ? size : CURL_WRITEFUNC_ERROR;
        } catch (const std::bad_alloc&) {
            transfer.refused = "out of memory";
            return CURL_WRITEFUNC_ERROR;
        }
    }
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
    if (!accepts) add("Accept:");  // keeps libcurl from adding its own
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(e, CURLOPT_URL, (request.origin + "/").c_str());
    curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, request.target.c_str());
    if (!request.connect_to.empty()) {
        connect_to.reset(curl_slist_append(nullptr, request.connect_to.c_str()));
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, connect_to.get());
    }
    if (!request.body.empty()) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, request.body.data());
    }
    if (!request.socket_path.empty())
        curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, request.socket_path.c_str());
    curl_easy_setopt(e, CURLOPT_PROXY, "");  // ignore $http_proxy
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::max<std::int64_t>(request.timeout.count(), 1)));
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on<&Transfer::take_header>);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on<&Transfer::take_body>);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, this);
    answer.request_ms = unix_ms();
}

bool BackendClient::Transfer::take_header(std::string_view line) {
    header_bytes += line.size();
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    // libcurl passes trailers (RFC 9110 section 6.5) through here as well. They are ignored: only the header section may
    // steer us.
    if (head_is_complete && status >= 200) return true;
    if (line.starts_with("HTTP/")) {  // begins a header section; the one before may have been a 1xx response's
        std::string_view code = line.substr(std::min(line.size(), line.find(' ') + 1));
        status = 0;
        std::from_chars(code.data(), code.data() + code.size(), status);
        answer.headers.clear();
        head_is_complete = false;
        return true;
    }
    if (header_bytes > most_header_bytes || answer.headers.size() >= most_header_lines) {
        refused = "the header section is larger than 64 KiB or 256 lines";
        return false;
    }
    answer.response_ms = unix_ms();
    head_is_complete = line.empty();
    std::size_t colon = line.find(':');
    if (colon != std::string_view::npos)
        answer.headers.emplace_back(line.substr(0, colon), trim_ows(line.substr(colon + 1)));
    return true;
}

bool BackendClient::Transfer::take_body(std::string_view bytes) {
    if (bytes.size() > request.max_body - answer.body.size()) {
        refused = "the body is larger than allowed";
        return false;
    }
    answer.body.append(bytes);
    return true;
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
    for (auto& transfer : fresh) start(std::move(transfer));
}

void BackendClient::start(std::unique_ptr<Transfer> transfer) {
    std::string why;
    try {
        transfer->prepare();
        CURL* easy = transfer->easy.get();
        auto place = running_.emplace(easy, nullptr).first;
        CURLMcode code = curl_multi_add_handle(multi_.get(), easy);
        if (code == CURLM_OK) {
            place->second = std::move(transfer);
            return;
        }
        running_.erase(place);
        why = curl_multi_strerror(code);
    } catch (const std::exception& error) {
        why = error.what();
    }
    transfer->answer.error = why;
    transfer->done(std::move(transfer->answer));
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
    answer.unreachable = result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST;
    answer.no_answer = result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
                       result == CURLE_GOT_NOTHING || result == CURLE_WEIRD_SERVER_REPLY;
    if (transfer->refused != nullptr) {
        answer.error = transfer->refused;
    } else if (result != CURLE_OK) {
        answer.error = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(result);
    } else if (!transfer->head_is_complete) {  // libcurl reports success when the connection ends within the header section
        answer.error = "the header section is cut off";
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
        pulse_.beat();
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
