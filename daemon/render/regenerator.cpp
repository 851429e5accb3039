// The steps. Each runs on one thread at a time; a Render belongs to the step that runs.
#include "regenerator.hpp"

#include <spdlog/spdlog.h>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "cache/response/decoder.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "cache/response/storable.hpp"
#include "daemon/queue/backoff.hpp"
#include "daemon/queue/priority.hpp"
#include "daemon/render/fragments.hpp"
#include "daemon/render/plan.hpp"
#include "daemon/render/random.hpp"
#include "daemon/stores/stored_entry.hpp"

namespace larder::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto busy_delay =
    200ms;  // plus as much at random: how long a job waits for a backend whose line is full

std::string encoded(const Policy& policy) {
    std::string bytes;
    ByteWriter out(bytes);
    write_policy(out, policy);
    return bytes;
}

}  // namespace

struct Regenerator::Render {
    Claim claim;
    std::function<void(Outcome)> ended;
    std::shared_ptr<const Settings> settings;
    Job job;
    Variant variant;  // of views into job
    Store* store = nullptr;
    const BackendSettings* backend = nullptr;
    BackendRequest request;
    std::shared_ptr<void> route_token;
    std::uint64_t fence = 0;
    std::string stored;  // the entry that the store holds: the backend may say that it is still good
    Verdict verdict = Verdict::dead;  // on it
    bool purged = false;              // since it was rendered
    BackendAnswer answer;
    std::string weak_etag;  // of an answer that was decoded
};

void Regenerator::start(Claim claim, std::function<void(Outcome)> ended) {
    auto render = std::make_shared<Render>();
    render->claim = std::move(claim);
    render->ended = std::move(ended);
    render->settings = parts_.settings.get();
    parts_.workers.post([this, render] { guarded(render, &Regenerator::prepare); });
}

// A store or queue that is away is a reason to try again, later.
void Regenerator::guarded(const Shared& render, void (Regenerator::*step)(const Shared&)) {
    try {
        (this->*step)(render);
    } catch (const std::exception& error) {
        try {
            fail(render, error.what());
        } catch (const std::exception& second) {
            // The queue is away as well: the lease will expire, and the job be claimed anew.
            report(render, Outcome::lost, second.what());
        }
    }
}

void Regenerator::prepare(const Shared& render) {
    const char* why = nullptr;
    auto job = decode_job(render->claim.job, &why);
    if (!job) return end(render, Outcome::refused, why);
    render->job = std::move(*job);
    render->variant = *Variant::parse(render->job.variant, &why);
    if (key_of(render->job.variant).text() != render->claim.lease.key)
        return end(render, Outcome::refused, "the key is not the variant's");
    render->store = parts_.stores.find(render->job.store);
    if (render->store == nullptr)
        return end(render, Outcome::refused, "no [[store]] has the name " + render->job.store);
    render->backend = backend_for(*render->settings, render->variant.host);
    if (render->backend == nullptr) return end(render, Outcome::refused, "no [[backend]] renders its host");
    auto request = backend_request(render->variant, render->job.policy, *render->backend,
                                   render->settings->signing, unix_ms() / 1000, &why);
    if (!request) return end(render, Outcome::refused, why);
    render->request = std::move(*request);
    render->request.max_body = std::min<std::size_t>(
        render->request.max_body, static_cast<std::size_t>(render->settings->render.max_body.bytes));
    if (render->job.deadline_ms != 0 && unix_ms() >= render->job.deadline_ms)
        return end(render, Outcome::expired, "its deadline has passed");
    read_stored(*render);
    if (!is_wanted(*render)) return end(render, Outcome::skipped, "what is stored is new enough");
    add_condition(*render);
    enter_gate(render);
}

// What the store holds of it, and what that is worth. Nothing that was purged for good counts.
void Regenerator::read_stored(Render& render) {
    auto entry = read_stored_entry(*render.store, render.claim.lease.key);
    if (!entry || EntryView::trusted(entry->bytes).variant() != render.job.variant) return;
    render.verdict = entry->verdict;
    render.purged = entry->purged || render.job.reason == JobReason::purge;
    if (render.verdict != Verdict::dead) render.stored = std::move(entry->bytes);
}

// False when what is stored was not purged since, and is what the job asked for.
bool Regenerator::is_wanted(const Render& render) {
    if (render.job.reason == JobReason::manual || render.verdict != Verdict::fresh) return true;
    std::int64_t created_ms = EntryView::trusted(render.stored).head().created_ms;
    return render.job.reason == JobReason::prerender && created_ms < render.job.enqueued_ms;
}

// Asks only whether it has changed. An operator who asks for a page by hand wants all of it.
void Regenerator::add_condition(Render& render) {
    if (render.stored.empty() || render.job.policy.keep_s == 0 || render.job.reason == JobReason::manual)
        return;
    Condition condition = condition_of(EntryView::trusted(render.stored), render.purged);
    if (!condition.if_none_match.empty())
        render.request.fields.emplace_back("If-None-Match", condition.if_none_match);
    if (!condition.if_modified_since.empty())
        render.request.fields.emplace_back("If-Modified-Since", condition.if_modified_since);
}

void Regenerator::enter_gate(const Shared& render) {
    auto limit = static_cast<std::size_t>(render->backend->concurrency);
    auto go = [this, render] {
        parts_.workers.post([this, render] { guarded(render, &Regenerator::call); });
    };
    if (parts_.gate.enter(render->backend->name, limit, go)) return;
    postpone(render, busy_delay + std::chrono::milliseconds(static_cast<int>(random_fraction() * 200)),
             "the backend is busy");
}

// Inside the gate: every way out of here leaves it.
void Regenerator::call(const Shared& render) {
    auto leave = [this, render] {
        render->route_token.reset();
        parts_.gate.leave(render->backend->name);
    };
    try {
        UnixMs now = unix_ms();
        UnixMs deadline = now + render->request.timeout.count();
        if (render->job.deadline_ms != 0) deadline = std::min(deadline, render->job.deadline_ms);
        if (deadline <= now) {
            leave();
            return end(render, Outcome::expired, "its deadline has passed");
        }
        render->request.timeout = std::chrono::milliseconds(deadline - now);
        // The job is younger than the purges it knows of, and so is its render.
        render->fence = std::max(render->store->newest_purge(), render->job.fence);
        if (parts_.router) {
            // It claims to know those purges, so it must read what they were made for, whatever the job was made for.
            std::vector<std::string> positions = render->store->newest_positions();
            positions.push_back(render->job.position);
            Route route = parts_.router(render->job, render->variant, positions, deadline);
            for (const auto& [position, by] : route.replaced) render->store->replace_position(position, by);
            if (route.hold) {
                leave();
                return postpone(render, route.retry_after, route.reason);
            }
            render->route_token = route.token;
            if (!route.header.empty()) render->request.fields.emplace_back("Larder-Route", route.header);
        }
    } catch (...) {
        leave();
        throw;
    }
    parts_.client.call(render->request, [this, render, leave](BackendAnswer answer) {
        render->answer = std::move(answer);
        leave();
        parts_.workers.post([this, render] { guarded(render, &Regenerator::commit); });
    });
}

void Regenerator::commit(const Shared& render) {
    const BackendAnswer& got = render->answer;
    if (!got.error.empty()) {
        parts_.metrics.backend_error(render->backend->name);
        return fail(render, got.error);
    }
    parts_.metrics.render(render->backend->name, got.took_ms);
    if (got.status >= 500) {
        parts_.metrics.backend_error(render->backend->name);
        return fail(render, "status " + std::to_string(got.status));
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
    for (const auto& [name, value] : got.headers) {
        if (equals_ignore_case(name, "Content-Encoding"))
            answer.decodable = Decoder::make(value, 0) != nullptr;
    }
    for (const NamedValue& header : render->variant.headers) {
        if (header.name == "accept-encoding") answer.accepts = header.value;
    }
    if (got.status == 304) return revalidate(render, answer);
    Storability storability = larder::storability(render->job.policy, answer);
    if (!storability.store) return withdraw(render, storability.reason);
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
    parts.plan = plan;
    parts.body = got.body;
    stamp(*render, parts);
    for (const NamedPart& part : named_parts(parts, storability, render->job.policy))
        store_part(*render, part);
    store_entry(render, build_entry(parts));
}

// Puts in the place of the body what its coding stands for.
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

// The backend says that what is stored is still good.
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
    if (render->stored.empty()) return fail(render, "status 304, though nothing was asked");
    // It is about something else than what we have: ask for all of it.
    render->stored.clear();
    std::erase_if(render->request.fields, [](const auto& field) {
        return field.first == "If-None-Match" || field.first == "If-Modified-Since" ||
               field.first == "Larder-Route";
    });
    enter_gate(render);
}

void Regenerator::stamp(const Render& render, EntryParts& parts) {
    parts.render_ms = static_cast<std::uint32_t>(std::max<std::int64_t>(render.answer.took_ms, 0));
    parts.created_ms = render.answer.request_ms;
    parts.fence = render.fence;
}

// Nobody renders a part by itself: it has no place in the index, and is made anew with its page.
void Regenerator::store_part(const Render& render, const NamedPart& part) {
    const char* why = nullptr;
    auto entry = EntryView::parse(part.entry, &why);
    if (!entry) return;
    std::chrono::milliseconds lifetime(entry->head().life.dead_at_ms() - unix_ms());
    if (lifetime > 0ms) render.store->put(part.key, part.entry, lifetime);
}

// The backend no longer gives out this page to everybody: what is stored of it must not be served for as long as its contract
// would allow. A hard purge of the URL is what every near cache understands; other variants of it are made anew.
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
    auto entry = EntryView::parse(bytes, &why);  // whatever a reader would refuse is not written
    if (!entry) return end(render, Outcome::unstorable, why);
    std::chrono::milliseconds lifetime(entry->head().life.dead_at_ms() - unix_ms());
    if (lifetime <= 0ms) return end(render, Outcome::unstorable, "it was dead on arrival");
    const std::string& key = render->claim.lease.key;
    std::vector<std::uint64_t> hashes = purge_hashes(*entry);
    render->store->index(key, hashes, encoded(render->job.policy), lifetime);
    bool stored = render->store->put(key, bytes, lifetime);
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

// A prerender asks for its fragments by itself, whether or not they are due.
void Regenerator::enqueue_fragments(const Render& render, const EntryView& page) {
    if (render.job.reason == JobReason::prerender) return;
    for (Job& job : due_fragments(*render.store, page, render.job)) {
        parts_.queue.enqueue(key_of(job.variant).text(), encode_job(job), delay_of(job.reason), job.urgent());
    }
}

void Regenerator::end(const Shared& render, Outcome outcome, const std::string& why) {
    Finished finished = parts_.queue.finish(render->claim.lease);
    report(render, finished == Finished::lost ? Outcome::lost : outcome, why);
}

void Regenerator::fail(const Shared& render, const std::string& why) {
    Backoff backoff{render->settings->queue.retry_first, render->settings->queue.retry_longest};
    auto wait = backoff.after(render->claim.failed_attempts + 1, random_fraction());
    Failed failed = parts_.queue.fail(render->claim.lease, wait);
    Outcome outcome = failed == Failed::waiting    ? Outcome::failed
                      : failed == Failed::given_up ? Outcome::given_up
                                                   : Outcome::lost;
    report(render, outcome, why);
}

void Regenerator::postpone(const Shared& render, std::chrono::milliseconds delay, const std::string& why) {
    bool ours = parts_.queue.postpone(render->claim.lease, delay);
    report(render, ours ? Outcome::postponed : Outcome::lost, why);
}

void Regenerator::report(const Shared& render, Outcome outcome, const std::string& why) {
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
