// The file that keeps purges over a crash. It consists of lines, each with a checksum:
//
//   CHECKSUM P ID ACCEPTED_MS s|h POSITION|- HASH,HASH,...     a purge was accepted
//   CHECKSUM D ID STORE SEQUENCE                               a store has taken it, as this sequence
//
// A purge's line is on disk before the purge is acknowledged. A damaged line, as the last one may be after a crash, is skipped.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct PurgeOrder {
    std::vector<std::uint64_t> hashes;
    PurgeMode mode = PurgeMode::soft;
    std::string position;
};

// A purge that was accepted, and what became of it.
struct AcceptedPurge {
    std::uint64_t id = 0;  // in order of acceptance
    UnixMs accepted_ms = 0;
    PurgeOrder order;
    std::map<std::string, std::uint64_t> sequences;  // by store: what it was given there; missing: the store lacks it yet

    std::size_t bytes() const { return sizeof *this + order.hashes.size() * 17 + order.position.size(); }
};

class PurgeLog {
public:
    // Makes the directory if need be and takes it for this process; without one ("") nothing is kept. Throws
    // std::runtime_error when the directory can't be used, by another process for one.
    explicit PurgeLog(const std::string& directory);
    ~PurgeLog();
    PurgeLog(const PurgeLog&) = delete;
    PurgeLog& operator=(const PurgeLog&) = delete;

    bool is_on_disk() const { return !path_.empty(); }
    // All that was accepted or adopted, and is in a store, would survive a power failure: false while the file can't be written.
    bool works() const;

    // What the file held when it was opened, in order. Once.
    std::vector<AcceptedPurge> take();

    // Returns true once the purge would survive a power failure, and at once without a directory; false when the file can't be
    // written. Calls that come while a flush is under way share the next one.
    bool accepted(const AcceptedPurge& purge);
    // The same for purges that stores have got already: what these gave them is written, too.
    bool adopted(const std::vector<std::shared_ptr<AcceptedPurge>>& purges);
    // Not flushed: if the line is lost, the purge is made once more.
    void delivered(std::uint64_t id, const std::string& store, std::uint64_t sequence);

    // Writes the file anew with these purges alone, if it has grown beyond `most` bytes or could not be written before.
    void tidy(const std::deque<std::shared_ptr<AcceptedPurge>>& purges, std::size_t most);

private:
    class File {
    public:
        explicit File(int fd) : fd_(fd) {}
        ~File();
        File(const File&) = delete;
        File& operator=(const File&) = delete;
        int fd() const { return fd_; }
        bool write(std::string_view bytes) const;

    private:
        int fd_;
    };

    bool rewrite(const std::deque<std::shared_ptr<AcceptedPurge>>& purges);
    bool append(std::string_view line);
    bool flush(std::unique_lock<std::mutex>& lock);
    void give_up();
    void read(std::string_view text);

    const std::string path_;  // empty: nothing is kept
    std::unique_ptr<File> directory_;
    std::vector<AcceptedPurge> found_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable flushed_;
    std::shared_ptr<File> file_;  // null: could not be written; tidy() makes another
    std::uint64_t written_ = 0;   // bytes, over all files
    std::uint64_t durable_ = 0;   // of these
    std::size_t size_ = 0;        // of the file
    bool flushing_ = false;
};

}  // namespace larder::daemon
