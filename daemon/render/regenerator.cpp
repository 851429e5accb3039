// Each step runs on one thread, and hands the Render to the next one, so a Render needs no lock.
#include "regenerator.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "cache/response/decoder.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "cache/response/storable.hpp"
#include "daemon/queue/backoff.hpp"
#include "cache/priority.hpp"
#include "daemon/render/fragments.hpp"
#include "daemon/render/plan.hpp"
#include "daemon/render/random.hpp"
#include "daemon/stores/stored_entry.hpp"

namespace larder::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto busy_delay =
    200ms;  // plus a random time of the same length: how long a job is postponed when its line at the gate is full

constexpr std::chrono::milliseconds longest_outage_wait = 30s;
constexpr std::chrono::milliseconds first_visit_copy_time = 10min;
constexpr std::uint32_t longest_retry_after_s = 3600;

// The time that the answer's Retry-After field asks for; 0 if there is none.
std::chrono::milliseconds retry_after(const BackendAnswer& answer) {
    std::string_view text, date;
    for (const auto& [name, value] : answer.headers) {
        if (equals_ignore_case(name, "Retry-After")) text = value;
        if (equals_ignore_case(name, "Date")) date = value;
    }
    return std::chrono::seconds(retry_after_s(text, date, answer.response_ms / 1000));
}

// Whether nginx is to treat the render call like a request of a first-time visitor: to work out the key itself, and to
// apply its access rules. So for pages known only by their URL, because nginx has not keyed them yet. Always so for
// prerendering: a page that nginx would refuse to an anonymous visitor must not become a file.
bool is_of_visitor(const Job& job) {
    return job.reason == JobReason::prerender || (job.reason == JobReason::warm && !job.policy_of_nginx);
}

std::string encoded(const Policy& policy) {
    std::string bytes;
    ByteWriter out(bytes);
    write_policy(out, policy);
    return bytes;
}

}  // namespace

struct Regenerator::Render {
    std::function<void(Outcome)>
        ended;  // declared first, so destroyed last: it holds what counts the job as in hand
    Claim claim;
    const std::chrono::steady_clock::time_point claimed_at = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point lease_sure_at = claimed_at;
    std::shared_ptr<const Settings> settings;
    Job job;
    Variant variant;  // of views into job
    Store* store = nullptr;
    const BackendSettings* backend = nullptr;  // null: nginx renders
    std::vector<std::string> nginx;            // URLs of nginx servers, in the order in which to try them
    BackendRequest request;
    Gate::Ticket place;                 // at the backend or at nginx
    std::shared_ptr<void> route_token;  // counts as load on the database server
    std::uint64_t fence = 0;
    std::string stored;  // bytes of the stored entry, for revalidation; empty: none that may be used
    Verdict verdict = Verdict::dead;  // on the stored entry
    bool purged = false;              // the stored entry was purged
    BackendAnswer answer;
    std::string weak_etag;  // owns the bytes of the ETag that decode() has weakened

    // Time since the job was enqueued.
    std::chrono::milliseconds waited() const {
        return claim.age +
               std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - claimed_at);
    }

    std::string name() const { return backend != nullptr ? backend->name : nginx_name; }

    // Releases the places at the backend and the database. Called as early as possible, so that other requests can go on.
    void leave() {
        route_token.reset();
        place = {};
    }
};

void Regenerator::start(Claim claim, std::function<void(Outcome)> ended) {
    auto render = std::make_shared<Render>();
    render->claim = std::move(claim);
    render->ended = std::move(ended);
    render->settings = parts_.settings.get();
    parts_.workers.post([this, render] { guarded(render, &Regenerator::prepare); });
}

void Regenerator::guarded(const Shared& render, void (Regenerator::*step)(const Shared&)) {
    auto failed = [&](const std::exception& error, Attempt attempt) {
        try {
            fail(render, error.what(), attempt);
        } catch (const std::exception& second) {
            // The queue is down as well. The lease will expire, and some larderd will claim the job again.
            report(render, Outcome::lost, second.what());
        }
    };
    try {
        (this->*step)(render);
    } catch (const std::runtime_error& error) {  // a store or the queue is down
        failed(error, Attempt::free);
    } catch (const std::exception& error) {
        failed(error, Attempt::counts);
    }
}

void Regenerator::prepare(const Shared& render) {
    const char* why = nullptr;
    auto job = decode_job(render->claim.job, &why);
    if (!job) return refuse(render, why);
    render->job = std::move(*job);
    render->variant = *Variant::parse(render->job.variant, &why);
    if (key_of(render->job.variant).text() != render->claim.lease.key)
        return refuse(render, "the key is not the variant's");
    render->store = parts_.stores.find(render->job.store);
    if (render->store == nullptr) return refuse(render, "no [[store]] has the name " + render->job.store);
    if (!parts_.stores.is(*render->store, render->job.store_identity)) {
        return refuse(render, "larder_store " + render->job.store + " is not [[store]] " + render->job.store +
                                  ": another server, database or prefix");
    }
    render->backend = backend_for(*render->settings, render->variant.host);
    if (!prepare_request(render)) return;
    if (render->job.deadline_ms != 0 && unix_ms() >= render->job.deadline_ms)
        return end(render, Outcome::expired, "its deadline has passed");
    read_stored(*render);
    if (!is_wanted(*render)) return end(render, Outcome::skipped, "what is stored is new enough");
    add_condition(*render);
    enter_gate(render);
}

// Returns false when nobody can render the page; it has then ended the job.
bool Regenerator::prepare_request(const Shared& render) {
    const char* why = nullptr;
    if (render->backend != nullptr) {
        auto request = backend_request(render->variant, render->job.policy, *render->backend,
                                       render->settings->signing, unix_ms() / 1000, &why);
        if (request) {
            render->request = std::move(*request);
            render->request.max_body = std::min<std::size_t>(
                render->request.max_body, static_cast<std::size_t>(render->settings->render.max_body.bytes));
        }
    } else if (render->settings->signing.key.empty()) {
        why = "no [[backend]] renders its host, and without a key under [signing] nginx can't be asked";
    } else if (render->variant.needs_visitor()) {
        why = "the variant can't be asked for without its visitor";
    } else {
        render->nginx = nginx_servers_.for_job(render->job.nginx, render->settings->nginx);
        if (render->nginx.empty())
            why = "no [[backend]] renders its host, and no nginx is known: [nginx] urls, or a visitor's stale hit with larder_signing_key";
        render->request.timeout = render->settings->nginx.timeout;
    }
    if (why != nullptr) refuse(render, why);
    return why == nullptr;
}

// Reads the stored entry and its verdict. A dead entry is ignored.
void Regenerator::read_stored(Render& render) {
    auto entry = read_stored_entry(*render.store, render.claim.lease.key);
    if (!entry || EntryView::trusted(entry->bytes).variant() != render.job.variant) return;
    render.verdict = entry->verdict;
    render.purged = entry->purged || render.job.reason == JobReason::purge;
    if (render.verdict != Verdict::dead) render.stored = std::move(entry->bytes);
}

// Whether to render. Not if the stored entry is fresh, except for a manual refresh. A prerender also needs an entry that
// was made for anybody and since the job was enqueued.
bool Regenerator::is_wanted(const Render& render) {
    if (render.job.reason == JobReason::manual || render.verdict != Verdict::fresh) return true;
    if (render.job.reason != JobReason::prerender) return false;
    EntryView stored = EntryView::trusted(render.stored);
    return !stored.is_for_anybody() || stored.head().created_ms < unix_ms() - render.waited().count();
}

// Makes the request to a backend conditional, if there is a stored entry to validate. A manual refresh asks for the whole
// page.
void Regenerator::add_condition(Render& render) {
    if (render.backend == nullptr || render.stored.empty() || render.job.policy.keep_s == 0 || render.job.reason == JobReason::manual)
        return;
    Condition condition = condition_of(EntryView::trusted(render.stored), render.purged);
    if (!condition.if_none_match.empty())
        render.request.fields.emplace_back("If-None-Match", condition.if_none_match);
    if (!condition.if_modified_since.empty())
        render.request.fields.emplace_back("If-Modified-Since", condition.if_modified_since);
}

void Regenerator::enter_gate(const Shared& render) {
    auto limit = static_cast<std::size_t>(render->backend != nullptr ? render->backend->concurrency
                                                                     : render->settings->nginx.concurrency);
    auto go = [this, render](Gate::Ticket place) {
        render->place = std::move(place);
        parts_.workers.post([this, render] { guarded(render, &Regenerator::call); });
    };
    auto turn = render->claim.overdue >= -visited_delay      ? Gate::Turn::visited
                : render->claim.overdue >= -few_purged_delay ? Gate::Turn::few
                                                             : Gate::Turn::usual;
    if (parts_.gate.enter(render->name(), limit, turn, go)) return;
    postpone(render, busy_delay + std::chrono::milliseconds(static_cast<int>(random_fraction() * 200)),
             "the backend is busy");
}

void Regenerator::call(const Shared& render) {
    // After a long wait at the gate, or if the process was suspended, another larderd may have claimed the job.
    auto since_sure = std::chrono::steady_clock::now() - render->lease_sure_at;
    if (since_sure > render->settings->queue.lease / 2) {
        if (!parts_.queue.renew({render->claim.lease}).empty())
            return report(render, Outcome::lost, "another daemon has it");
        render->lease_sure_at = std::chrono::steady_clock::now();
    }
    UnixMs now = unix_ms();
    UnixMs deadline = now + render->request.timeout.count();
    if (render->job.deadline_ms != 0) deadline = std::min(deadline, render->job.deadline_ms);
    if (deadline <= now) return end(render, Outcome::expired, "its deadline has passed");
    render->request.timeout = std::chrono::milliseconds(deadline - now);
    // The fence is read before the backend is asked, so the render is newer than all purges up to it. The job's own fence
    // holds as well: the job was made after those purges.
    render->fence = std::max(render->store->newest_purge(), render->job.fence);
    RenderCall by_nginx;
    if (parts_.router) {
        // The new entry will be fenced after those purges, so this render must read a replica that has caught up with the
        // writes behind them.
        std::vector<std::string> positions = render->store->newest_positions();
        positions.push_back(render->job.position);
        Route route = parts_.router(render->job, render->variant, positions, render->waited(), deadline);
        for (const auto& [position, by] : route.replaced) render->store->replace_position(position, by);
        if (route.hold) return postpone(render, route.retry_after, route.reason);
        render->route_token = route.token;
        by_nginx.route = route.header;
        if (!route.header.empty() && render->backend != nullptr)
            render->request.fields.emplace_back("Larder-Route", route.header);
    }
    if (render->backend == nullptr) {
        by_nginx.unconditional = render->job.reason == JobReason::manual;
        by_nginx.as_visitor = is_of_visitor(render->job);
        by_nginx.fence = render->fence;
        if (render->job.policy_of_nginx) by_nginx.policy = render->job.policy;
        by_nginx.variant = render->job.variant;
        const char* why = nullptr;
        auto request = nginx_request(render->nginx.front(), by_nginx, render->variant, *render->settings, now / 1000, &why);
        if (!request) return refuse(render, why);
        request->timeout = render->request.timeout;
        render->request = std::move(*request);
    }
    parts_.client.call(render->request, [this, render](BackendAnswer answer) {
        render->answer = std::move(answer);
        render->leave();
        parts_.workers.post([this, render] { guarded(render, &Regenerator::commit); });
    });
}

void Regenerator::commit(const Shared& render) {
    const BackendAnswer& got = render->answer;
    if (!got.error.empty()) {
        parts_.metrics.backend_error(render->name());
        bool is_none = got.unreachable || got.no_answer;
        if (is_none && render->nginx.size() > 1) return ask_next_nginx(render);
        if (got.no_answer && render->backend == nullptr)
            return refuse(render, "nginx at " + render->nginx.front() + ": " + got.error +
                                      "; [nginx] urls or render= of larder_daemon name another address");
        return fail(render, got.error, got.unreachable ? Attempt::free : Attempt::counts);
    }
    parts_.metrics.render(render->name(), got.took_ms);
    if (render->backend == nullptr) return commit_by_nginx(render);
    const Failures& failures = render->job.policy.failures;
    bool over_good_page =
        !render->stored.empty() && !failures.has(EntryView::trusted(render->stored).head().status, true);
    if (got.status >= 500 || (failures.has(got.status, true) && over_good_page)) {
        parts_.metrics.backend_error(render->name());
        return fail(render, "status " + std::to_string(got.status), Attempt::counts, retry_after(got));
    }
    Answer answer;
    answer.status = got.status;
    for (const auto& [name, value] : got.headers) answer.headers.push_back({name, value});
    answer.request_ms = got.request_ms;
    answer.response_ms = got.response_ms;
    answer.variant_holds = [render](std::string_view name) {
        const auto& held = render->variant.headers;
        return std::any_of(held.begin(), held.end(),
                           [name](const NamedValue& header) { return header.name == name; });
    };
    answer.authorized = answer.variant_holds("authorization");
    answer.decodable = Decoder::make(content_coding(answer.headers), 0) != nullptr;
    for (const NamedValue& header : render->variant.headers) {
        if (header.name == "accept-encoding") answer.accepts = header.value;
    }
    if (got.status == 304) return revalidate(render, answer);
    Storability storability = larder::storability(render->job.policy, answer);
    if (!storability.store) return withdraw(render, text_of(storability.reason));
    if (storability.decode && !decode(*render, storability))
        return end(render, Outcome::unstorable, "it is not what its Content-Encoding says, or too long");
    std::string plan, why;
    if (!compile_plan(storability, render->job.policy, got.body, plan, why))
        return end(render, Outcome::unstorable, why);

    EntryParts parts;
    parts.status = got.status;
    parts.life = storability.life;
    parts.variant = render->job.variant;
    parts.tags = storability.tags;
    parts.headers = storability.headers;
    parts.steering = storability.steering;
    parts.vary = storability.vary;
    parts.audience = storability.audience;
    parts.plan = plan;
    parts.body = got.body;
    stamp(*render, parts);
    for (const NamedPart& part : named_parts(parts, storability, render->job.policy))
        store_part(*render, part);
    store_entry(render, build_entry(parts));
}

void Regenerator::ask_next_nginx(const Shared& render) {
    spdlog::warn("nginx at {}: {}: asking {}", render->nginx[0], render->answer.error, render->nginx[1]);
    render->nginx.erase(render->nginx.begin());
    render->answer = {};
    enter_gate(render);
}

void Regenerator::commit_by_nginx(const Shared& render) {
    const BackendAnswer& got = render->answer;
    auto report = got.status == 200 ? decode_report(got.body) : std::nullopt;
    if (!report)
        return refuse(render, "nginx at " + render->nginx.front() + " does not take render calls (status " +
                                  std::to_string(got.status) +
                                  "): are larder_signing_key and [signing] key the same, and the clocks right?");
    switch (report->result) {
        case RenderResult::stored:
            return end_stored_by_nginx(render, report->key);
        case RenderResult::unstorable:
            return withdraw(render, report->detail);
        case RenderResult::failed:
            parts_.metrics.backend_error(nginx_name);
            return fail(render, report->detail, report->status == 0 ? Attempt::free : Attempt::counts,
                        std::chrono::seconds(std::min(report->retry_after_s, longest_retry_after_s)));
        case RenderResult::near:
        case RenderResult::misled:
            return refuse(render, report->detail);
    }
}

void Regenerator::end_stored_by_nginx(const Shared& render, const std::string& key) {
    auto entry = read_stored_entry(*render->store, key);
    if (!entry)
        return refuse(render, "nginx has stored it elsewhere: are larder_store and [[store]] " + render->job.store + " the same?");
    if (entry->purged) {
        Job again = render->job;
        again.reason = JobReason::purge;
        again.fence = std::max(again.fence, render->store->newest_purge());
        parts_.queue.run_again(render->claim.lease, encode_job(again));
    }
    EntryView page = EntryView::trusted(entry->bytes);
    if (key != render->claim.lease.key) {
        // The prerenderer looks the page up by the key that larderd computes from its URL. nginx's key differs, so the
        // entry is stored under both.
        std::chrono::milliseconds lifetime(page.head().life.dead_at_ms() - unix_ms());
        render->store->put(render->claim.lease.key, entry->bytes, std::min(lifetime, first_visit_copy_time));
    }
    enqueue_fragments(*render, page);
    end(render, Outcome::stored, "");
}

// Undoes the body's content coding, and makes a strong ETag weak, as it named the coded bytes. Returns false for malformed
// or too long content.
bool Regenerator::decode(Render& render, Storability& storability) {
    std::string_view coding;
    for (const auto& [name, value] : render.answer.headers) {
        if (equals_ignore_case(name, "Content-Encoding")) coding = value;
    }
    auto decoder = Decoder::make(coding, render.request.max_body);
    std::string text;
    if (!decoder->feed(render.answer.body, text) || !decoder->complete()) return false;
    render.answer.body = std::move(text);
    for (NamedValue& header : storability.headers) {
        bool strong = equals_ignore_case(header.name, "ETag") && header.value.substr(0, 2) != "W/";
        if (strong) header.value = render.weak_etag = "W/" + std::string(header.value);
    }
    return true;
}

// Handles a 304: renews the stored entry.
void Regenerator::revalidate(const Shared& render, const Answer& answer) {
    Storability decision;
    auto parts = render->stored.empty()
                     ? std::nullopt
                     : revalidated(render->job.policy, EntryView::trusted(render->stored), answer, decision);
    if (parts) {
        stamp(*render, *parts);
        for (const NamedPart& part : named_parts(*parts, decision, render->job.policy))
            store_part(*render, part);
        return store_entry(render, build_entry(*parts));
    }
    if (render->stored.empty()) return fail(render, "status 304, though nothing was asked", Attempt::counts);
    // The 304 doesn't match the stored entry: ask again, without conditions.
    render->stored.clear();
    std::erase_if(render->request.fields, [](const auto& field) {
        return field.first == "If-None-Match" || field.first == "If-Modified-Since" ||
               field.first == "Larder-Route";
    });
    enter_gate(render);
}

// Sets what all entries rendered here have in common. They are made for anybody: a backend that larderd asks directly is
// behind no access rules of nginx.
void Regenerator::stamp(const Render& render, EntryParts& parts) {
    parts.made_for = MadeFor::anybody;
    parts.render_ms = static_cast<std::uint32_t>(std::max<std::int64_t>(render.answer.took_ms, 0));
    parts.created_ms = render.answer.request_ms;
    parts.fence = render.fence;
}

// Stores a named part. Parts are not indexed by tag, because they are regenerated with their page only.
void Regenerator::store_part(const Render& render, const NamedPart& part) {
    const char* why = nullptr;
    auto entry = EntryView::parse(part.entry, &why);
    if (!entry) return;
    std::chrono::milliseconds lifetime(entry->head().life.dead_at_ms() - unix_ms());
    if (lifetime > 0ms) render.store->put(part.key, part.entry, lifetime);
}

// The answer may not be stored any more, for instance because the page has become private: removes the stored entry, which
// must not be served as stale either. A hard purge of the URL removes it from the near caches. That also hits the URL's
// other variants, which are then rendered again.
void Regenerator::withdraw(const Shared& render, const std::string& why) {
    const std::string& key = render->claim.lease.key;
    if (render->store->get_start(key, sizeof(EntryHead))) {
        std::uint64_t url = url_tag_hash(render->variant.host, render->variant.path);
        render->store->remove(key);
        render->store->forget(key, url);
        render->store->purge({url}, PurgeMode::hard, "");
    }
    end(render, Outcome::unstorable, why);
}

void Regenerator::store_entry(const Shared& render, const std::string& bytes) {
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);  // never store an entry that readers would refuse
    if (!entry) return end(render, Outcome::unstorable, why);
    std::chrono::milliseconds lifetime(entry->head().life.dead_at_ms() - unix_ms());
    if (lifetime <= 0ms) return end(render, Outcome::unstorable, "it was dead on arrival");
    const std::string& key = render->claim.lease.key;
    std::vector<std::uint64_t> hashes = purge_hashes(*entry);
    render->store->index(key, hashes, encoded(render->job.policy), lifetime);
    bool stored = false;
    try {
        stored = render->store->put(key, bytes, lifetime);
    } catch (const TooLarge& error) {
        return refuse(render, error.what());
    }
    PurgeSeen purge = render->store->purges_since(render->fence, hashes);
    if (stored && purge.mode != PurgeMode::none) {
        Job again = render->job;
        again.reason = JobReason::purge;
        again.fence = purge.sequence;
        again.enqueued_ms = unix_ms();
        parts_.queue.run_again(render->claim.lease, encode_job(again));
    }
    if (stored) enqueue_fragments(*render, *entry);
    end(render, stored ? Outcome::stored : Outcome::outdone, stored ? "" : "the store holds a newer entry");
}

// Enqueues jobs for the page's stale fragments. The prerenderer requests all fragments of its pages itself.
void Regenerator::enqueue_fragments(const Render& render, const EntryView& page) {
    if (render.job.reason == JobReason::prerender) return;
    for (Job& job : due_fragments(*render.store, page, render.job)) {
        parts_.queue.enqueue(key_of(job.variant).text(), encode_job(job), delay_of(job.reason), job.urgent());
    }
}

void Regenerator::end(const Shared& render, Outcome outcome, const std::string& why) {
    render->leave();
    Finished finished = parts_.queue.finish(render->claim.lease);
    report(render, finished == Finished::lost ? Outcome::lost : outcome, why);
}

// Ends the attempt; the queue decides whether there is another. While a server is down, failures are not counted, so the
// back-off is computed from the job's age: each wait is half of the time that the job has waited so far.
void Regenerator::fail(const Shared& render, const std::string& why, Attempt attempt,
                       std::chrono::milliseconds at_least) {
    render->leave();
    const QueueSettings& queue = render->settings->queue;
    Backoff backoff{queue.retry_first, queue.retry_longest};
    auto wait = backoff.after(render->claim.failed_attempts + 1, random_fraction());
    if (attempt == Attempt::free) {
        wait = std::clamp(std::max(wait, render->waited() / 2), wait, std::max(wait, longest_outage_wait));
    }
    Failed failed = parts_.queue.fail(render->claim.lease, std::max(wait, at_least), attempt);
    Outcome outcome = failed == Failed::waiting    ? Outcome::failed
                      : failed == Failed::given_up ? Outcome::given_up
                                                   : Outcome::lost;
    report(render, outcome, why);
}

// When nginx enqueues the page again, the queue answers "refused", and nginx refreshes the page itself.
void Regenerator::refuse(const Shared& render, const std::string& why) {
    render->leave();
    bool ours = parts_.queue.refuse(render->claim.lease);
    report(render, ours ? Outcome::refused : Outcome::lost, why);
}

void Regenerator::postpone(const Shared& render, std::chrono::milliseconds delay, const std::string& why) {
    render->leave();
    bool ours = parts_.queue.postpone(render->claim.lease, delay);
    report(render, ours ? Outcome::postponed : Outcome::lost, why);
}

void Regenerator::report(const Shared& render, Outcome outcome, const std::string& why) {
    render->leave();
    bool good = outcome == Outcome::stored || outcome == Outcome::skipped || outcome == Outcome::postponed ||
                outcome == Outcome::outdone;
    spdlog::log(good ? spdlog::level::debug : spdlog::level::warn, "job {} {} ({}): {}{}{}",
                render->claim.lease.key,
                render->job.variant.empty() ? "-"
                : render->variant.host.empty()
                    ? "-"
                    : std::string(render->variant.host) + std::string(render->variant.path),
                to_string(render->job.reason), to_string(outcome), why.empty() ? "" : ": ", why);
    parts_.metrics.job(outcome);
    render->ended(outcome);
}

}  // namespace larder::daemon
