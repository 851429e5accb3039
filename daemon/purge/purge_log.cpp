// Group commit: one thread's fdatasync() covers the lines of all threads that were written before it began.
#include "purge_log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "cache/request/key.hpp"
#include "cache/position.hpp"

namespace larder::daemon {

namespace {

constexpr char file_name[] = "/purges";

std::string line(const std::string& text) {
    return hash_text(text_hash(text)) + " " + text + "\n";
}

std::string accepted_line(const AcceptedPurge& purge) {
    std::string text = "P " + std::to_string(purge.id) + " " + std::to_string(purge.accepted_ms) +
                       (purge.order.mode == PurgeMode::hard ? " h " : " s ") +
                       (purge.order.position.empty() ? "-" : purge.order.position) + " ";
    for (std::size_t i = 0; i < purge.order.hashes.size(); i++)
        text.append(i == 0 ? "" : ",").append(hash_text(purge.order.hashes[i]));
    return line(text);
}

std::string delivered_line(std::uint64_t id, const std::string& store, std::uint64_t sequence) {
    return line("D " + std::to_string(id) + " " + store + " " + std::to_string(sequence));
}

std::string lines_of(const AcceptedPurge& purge) {
    std::string lines = accepted_line(purge);
    for (const auto& [store, sequence] : purge.sequences) lines += delivered_line(purge.id, store, sequence);
    return lines;
}

// Removes the first word from the line and returns it.
std::string_view word(std::string_view& text) {
    std::string_view first = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), first.size() + 1));
    return first;
}

template <typename Integer>
std::optional<Integer> number(std::string_view text) {
    Integer value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Parses the rest of a line after "P ".
std::optional<AcceptedPurge> parse_accepted(std::string_view text) {
    auto id = number<std::uint64_t>(word(text));
    auto accepted_ms = number<UnixMs>(word(text));
    std::string_view mode = word(text), position = word(text);
    if (!id || !accepted_ms || (mode != "s" && mode != "h")) return std::nullopt;
    AcceptedPurge purge{*id, *accepted_ms, {{}, mode == "h" ? PurgeMode::hard : PurgeMode::soft, {}}, {}};
    if (position != "-") {
        if (!replicas::parse_position(position)) return std::nullopt;
        purge.order.position = position;
    }
    while (!text.empty()) {
        std::string_view digits = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), digits.size() + 1));
        auto hash = hash_from_text(digits);
        if (!hash) return std::nullopt;
        purge.order.hashes.push_back(*hash);
    }
    if (purge.order.hashes.empty()) return std::nullopt;
    return purge;
}

[[noreturn]] void refuse(const std::string& directory, const std::string& why) {
    throw std::runtime_error("purge.directory: " + directory + ": " + why);
}

}  // namespace

PurgeLog::File::~File() {
    close(fd_);
}

bool PurgeLog::File::write(std::string_view bytes) const {
    while (!bytes.empty()) {
        ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
}

PurgeLog::PurgeLog(const std::string& directory) : path_(directory.empty() ? "" : directory + file_name) {
    if (path_.empty()) return;
    if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) refuse(directory, std::strerror(errno));
    int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) refuse(directory, std::strerror(errno));
    directory_ = std::make_unique<File>(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        refuse(directory, errno == EWOULDBLOCK ? "another larderd uses it" : std::strerror(errno));
    std::ifstream in(path_, std::ios::binary);
    std::ostringstream text;
    if (in && in.peek() != std::ifstream::traits_type::eof() && !(text << in.rdbuf())) refuse(directory, "its file can't be read");
    read(text.str());
    std::deque<std::shared_ptr<AcceptedPurge>> all;
    for (const AcceptedPurge& purge : found_) all.push_back(std::make_shared<AcceptedPurge>(purge));
    if (!rewrite(all)) refuse(directory, std::strerror(errno));
}

PurgeLog::~PurgeLog() = default;

void PurgeLog::read(std::string_view text) {
    std::map<std::uint64_t, AcceptedPurge> purges;
    std::size_t damaged = 0;
    while (!text.empty()) {
        std::size_t end = text.find('\n');
        std::string_view rest = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), rest.size() + 1));
        auto checksum = hash_from_text(word(rest));
        bool good = end != std::string_view::npos && checksum && *checksum == text_hash(rest);
        std::string_view kind = good ? word(rest) : "";
        if (kind == "P") {
            auto purge = parse_accepted(rest);
            if (purge) purges.insert({purge->id, std::move(*purge)});
            else damaged++;
        } else if (kind == "D") {
            auto id = number<std::uint64_t>(word(rest));
            std::string store(word(rest));
            auto sequence = number<std::uint64_t>(rest);
            auto purge = purges.find(id.value_or(0));
            if (sequence && purge != purges.end()) purge->second.sequences[store] = *sequence;
        } else {
            damaged++;
        }
    }
    if (damaged > 0) spdlog::warn("{}: {} damaged lines are left out", path_, damaged);
    for (auto& [id, purge] : purges) found_.push_back(std::move(purge));
}

std::vector<AcceptedPurge> PurgeLog::take() {
    return std::exchange(found_, {});
}

bool PurgeLog::works() const {
    std::lock_guard lock(mutex_);
    return file_ != nullptr;
}

bool PurgeLog::accepted(const AcceptedPurge& purge) {
    if (path_.empty()) return true;
    std::unique_lock lock(mutex_);
    return append(accepted_line(purge)) && flush(lock);
}

bool PurgeLog::adopted(const std::vector<std::shared_ptr<AcceptedPurge>>& purges) {
    if (path_.empty() || purges.empty()) return true;
    std::string lines;
    for (const auto& purge : purges) lines += lines_of(*purge);
    std::unique_lock lock(mutex_);
    return append(lines) && flush(lock);
}

void PurgeLog::delivered(std::uint64_t id, const std::string& store, std::uint64_t sequence) {
    if (path_.empty()) return;
    std::lock_guard lock(mutex_);
    append(delivered_line(id, store, sequence));
}

bool PurgeLog::append(std::string_view line) {
    if (!file_) return false;
    if (!file_->write(line)) {
        give_up();
        return false;
    }
    written_ += line.size();
    size_ += line.size();
    return true;
}

// After a failed write or fsync the kernel may have dropped dirty pages of the file, and a later successful fsync doesn't
// report that. So the file is abandoned, and tidy() writes a new one.
void PurgeLog::give_up() {
    spdlog::error("{}: {}; purges are not kept until it can be written anew", path_, std::strerror(errno));
    file_.reset();
}

bool PurgeLog::flush(std::unique_lock<std::mutex>& lock) {
    std::uint64_t up_to = written_;
    for (;;) {
        flushed_.wait(lock, [&] { return durable_ >= up_to || !flushing_ || !file_; });
        if (durable_ >= up_to) return true;
        if (!file_) return false;
        flushing_ = true;
        std::uint64_t covers = written_;
        std::shared_ptr<File> file = file_;
        lock.unlock();
        bool done = fdatasync(file->fd()) == 0;
        lock.lock();
        flushing_ = false;
        if (done) durable_ = std::max(durable_, covers);
        else if (file_ == file) give_up();
        flushed_.notify_all();
    }
}

void PurgeLog::tidy(const std::deque<std::shared_ptr<AcceptedPurge>>& purges, std::size_t most) {
    {
        std::lock_guard lock(mutex_);
        if (path_.empty() || (file_ && size_ <= most)) return;
    }
    rewrite(purges);
}

// Writes a new file and renames it over the old one. Returns false on failure; unless the last fsync failed, the old file
// is then still in place.
bool PurgeLog::rewrite(const std::deque<std::shared_ptr<AcceptedPurge>>& purges) {
    std::string text;
    for (const auto& purge : purges) text += lines_of(*purge);
    std::lock_guard lock(mutex_);
    std::string fresh = path_ + ".new";
    int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return false;
    auto file = std::make_shared<File>(fd);
    if (!file->write(text) || fdatasync(fd) != 0 || rename(fresh.c_str(), path_.c_str()) != 0 || fsync(directory_->fd()) != 0)
        return false;
    file_ = std::move(file);
    size_ = text.size();
    durable_ = written_;
    flushed_.notify_all();
    return true;
}

}  // namespace larder::daemon
