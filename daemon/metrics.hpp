// The daemon's counters, for /metrics and the status page. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "daemon/render/outcome.hpp"

namespace larder::daemon {

class Metrics {
public:
    Metrics();

    void job(Outcome outcome);
    void render(const std::string& backend, std::int64_t took_ms);  // a complete answer came
    void backend_error(const std::string& backend);
    void purge(std::size_t hashes);
    void purges_repeated(std::size_t purges);
    void purge_job();
    void prerendered(const std::string& set, bool written);

    // Sets the gauge "larderd_NAME{LABEL=VALUE}". For values that other parts own: call it just before text().
    void gauge(const std::string& name, const std::string& help,
               const std::map<std::string, std::string>& labels, double value);

    std::uint64_t jobs(Outcome outcome) const;
    // The given percentile (0 to 100) of the last 1024 render times, in ms; 0 before the first.
    std::int64_t render_percentile(double percent) const;
    // Jobs ended per second, averaged over the last minute.
    double jobs_per_second() const;

    // The Prometheus text exposition format 0.0.4.
    std::string text() const;

private:
    using Time = std::chrono::steady_clock::time_point;

    prometheus::Registry registry_;
    prometheus::Family<prometheus::Counter>& jobs_family_;
    prometheus::Family<prometheus::Histogram>& render_family_;
    prometheus::Family<prometheus::Counter>& error_family_;
    prometheus::Family<prometheus::Counter>& prerender_family_;
    prometheus::Counter& purges_;
    prometheus::Counter& purges_repeated_;
    prometheus::Counter& purge_jobs_;
    std::array<prometheus::Counter*, all_outcomes.size()> jobs_{};

    mutable std::mutex mutex_;  // guards the windows
    std::deque<std::int64_t> render_times_;
    mutable std::deque<Time> ended_;
};

}  // namespace larder::daemon
