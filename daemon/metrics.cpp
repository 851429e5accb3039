// prometheus-cpp's counters are thread-safe. The sliding windows for percentiles and rates are our own, under mutex_.
#include "metrics.hpp"

#include <prometheus/text_serializer.h>
#include <algorithm>
#include <vector>

namespace larder::daemon {

namespace {

constexpr std::size_t render_window = 1024;
constexpr std::size_t rate_window = 100'000;
const prometheus::Histogram::BucketBoundaries render_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                             0.5,   1,    2.5,   5,    10,  30};

prometheus::Family<prometheus::Counter>& counter(prometheus::Registry& registry, const char* name,
                                                 const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

}  // namespace

Metrics::Metrics()
    : jobs_family_(counter(registry_, "larderd_jobs_total", "Jobs by how they ended.")),
      render_family_(prometheus::BuildHistogram()
                         .Name("larderd_render_seconds")
                         .Help("Time of a backend's answer.")
                         .Register(registry_)),
      error_family_(counter(registry_, "larderd_backend_errors_total",
                            "Requests that a backend failed or didn't answer.")),
      prerender_family_(counter(registry_, "larderd_prerendered_total",
                                "Prerendered pages by whether a file was written.")),
      purges_(
          counter(registry_, "larderd_purges_total", "Tags and URLs purged through this daemon.").Add({})),
      purges_repeated_(counter(registry_, "larderd_purges_repeated_total",
                               "Purges made again for a store that had lost them.")
                           .Add({})),
      purge_jobs_(counter(registry_, "larderd_purge_jobs_total", "Jobs queued because of purges.").Add({})) {
    for (Outcome outcome : all_outcomes) {
        jobs_[static_cast<std::size_t>(outcome)] = &jobs_family_.Add({{"outcome", to_string(outcome)}});
    }
}

void Metrics::job(Outcome outcome) {
    jobs_[static_cast<std::size_t>(outcome)]->Increment();
    std::lock_guard lock(mutex_);
    ended_.push_back(std::chrono::steady_clock::now());
    if (ended_.size() > rate_window) ended_.pop_front();
}

void Metrics::render(const std::string& backend, std::int64_t took_ms) {
    render_family_.Add({{"backend", backend}}, render_buckets).Observe(static_cast<double>(took_ms) / 1000);
    std::lock_guard lock(mutex_);
    render_times_.push_back(took_ms);
    if (render_times_.size() > render_window) render_times_.pop_front();
}

void Metrics::backend_error(const std::string& backend) {
    error_family_.Add({{"backend", backend}}).Increment();
}

void Metrics::purge(std::size_t hashes) {
    purges_.Increment(static_cast<double>(hashes));
}

void Metrics::purges_repeated(std::size_t purges) {
    purges_repeated_.Increment(static_cast<double>(purges));
}

void Metrics::purge_job() {
    purge_jobs_.Increment();
}

void Metrics::prerendered(const std::string& set, bool written) {
    prerender_family_.Add({{"prerender", set}, {"written", written ? "yes" : "no"}}).Increment();
}

void Metrics::gauge(const std::string& name, const std::string& help,
                    const std::map<std::string, std::string>& labels, double value) {
    prometheus::BuildGauge().Name("larderd_" + name).Help(help).Register(registry_).Add(labels).Set(value);
}

std::uint64_t Metrics::jobs(Outcome outcome) const {
    return static_cast<std::uint64_t>(jobs_[static_cast<std::size_t>(outcome)]->Value());
}

std::int64_t Metrics::render_percentile(double percent) const {
    std::vector<std::int64_t> times;
    {
        std::lock_guard lock(mutex_);
        times.assign(render_times_.begin(), render_times_.end());
    }
    if (times.empty()) return 0;
    auto rank = static_cast<std::size_t>(percent / 100 * static_cast<double>(times.size() - 1) + 0.5);
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rank), times.end());
    return times[rank];
}

double Metrics::jobs_per_second() const {
    Time minute_ago = std::chrono::steady_clock::now() - std::chrono::minutes(1);
    std::lock_guard lock(mutex_);
    while (!ended_.empty() && ended_.front() < minute_ago) ended_.pop_front();
    return static_cast<double>(ended_.size()) / 60;
}

std::string Metrics::text() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace larder::daemon
