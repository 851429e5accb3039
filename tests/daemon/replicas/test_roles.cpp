// Finding out which server is the primary.
#include "daemon/replicas/decide/roles.hpp"

#include "daemon/replicas/status.hpp"
#include "tests/cmocka.hpp"

using namespace larder::replicas;

namespace {

constexpr std::uint64_t ours = 7000;
const std::vector<std::string> aliases = {"a", "b", "c"};

// One server, in short form: P primary, R replica; its timeline; its instance, which distinguishes servers.
struct Server {
    char kind;  // '.' doesn't answer
    std::uint32_t timeline = 1;
    std::int64_t instance = 0;  // 0: unlike all others
    std::uint64_t system = ours;
};

struct Bench {
    std::vector<Observation> seen;
    std::vector<const Observation*> pointers;

    explicit Bench(const std::vector<Server>& servers) : seen(servers.size()) {
        for (std::size_t i = 0; i < servers.size(); i++) {
            const Server& s = servers[i];
            seen[i].in_recovery = s.kind == 'R';
            seen[i].timeline = s.timeline;
            seen[i].instance = s.instance != 0 ? s.instance : 100 + static_cast<std::int64_t>(i);
            seen[i].system = s.system;
            pointers.push_back(s.kind == '.' ? nullptr : &seen[i]);
        }
    }
};

std::string roles_text(const Judgement& judgement) {
    std::string text;
    for (Role role : judgement.roles) text.push_back(role == Role::unknown ? '.' : to_string(role)[0]);
    return text;
}

}  // namespace

TEST(roles) {
    struct {
        const char* what;
        std::vector<Server> servers;
        Trust before;
        const char* roles;  // p r q .
        int primary;
        std::uint32_t timeline;
        std::size_t alarms;
    } rows[] = {
        {"nobody answers", {{'.'}, {'.'}, {'.'}}, {}, "...", -1, 0, 0},
        {"all is well", {{'P'}, {'R'}, {'R'}}, {}, "prr", 0, 1, 0},
        {"no primary yet", {{'.'}, {'R'}, {'R'}}, {}, ".rr", -1, 0, 0},
        {"the primary dies: remembered", {{'.'}, {'R'}, {'R'}}, {ours, 3, 0}, ".rr", 0, 3, 0},
        {"promotion, old one dead", {{'.'}, {'P', 2}, {'R'}}, {ours, 1, 0}, ".pr", 1, 2, 0},
        {"split brain: the higher timeline", {{'P', 1}, {'P', 2}, {'R', 2}}, {ours, 1, 0}, "qpr", 1, 2, 1},
        {"split brain, the other way round", {{'P', 3}, {'P', 2}, {'R', 3}}, {ours, 1, 0}, "pqr", 0, 3, 1},
        {"two promoted to the same timeline: the one met first",
         {{'.'}, {'P', 2}, {'P', 2}},
         {ours, 2, 2},
         ".qp",
         2,
         2,
         1},
        {"two on the same timeline, neither known", {{'P', 2}, {'P', 2}, {'R', 2}}, {}, "pqr", 0, 2, 1},
        {"the old one returns while the new one is down",
         {{'P', 1}, {'.'}, {'R', 2}},
         {ours, 2, 1},
         "q.r",
         1,
         2,
         1},
        {"the old one returns as a replica", {{'R', 2}, {'P', 2}, {'R', 2}}, {ours, 2, 1}, "rpr", 1, 2, 0},
        {"a stranger that takes writes", {{'P'}, {'R'}, {'P', 9, 0, 8000}}, {}, "prq", 0, 1, 1},
        {"a stranger that doesn't", {{'P'}, {'R', 1, 0, 8000}, {'R'}}, {}, "pqr", 0, 1, 1},
        {"the same server by two aliases",
         {{'P', 2, 55}, {'P', 2, 55}, {'R', 2}},
         {ours, 2, 1},
         "ppr",
         0,
         2,
         0},
        {"a cluster built anew", {{'P', 1, 0, 8000}, {'R', 1, 0, 8000}, {'.'}}, {ours, 5, 1}, "pr.", 0, 1, 0},
        {"half of it built anew: the half we know",
         {{'P', 1, 0, 8000}, {'R', 5}, {'.'}},
         {ours, 5, 0},
         "qr.",
         0,
         5,
         1},
        {"three primaries", {{'P', 1}, {'P', 2}, {'P', 3}}, {ours, 1, 0}, "qqp", 2, 3, 2},
    };
    for (const auto& row : rows) {
        print_message("%s\n", row.what);
        Bench bench(row.servers);
        Judgement judgement = judge_roles(bench.pointers, aliases, row.before);
        assert_text_equal(roles_text(judgement), row.roles);
        assert_int_equal(judgement.trust.primary, row.primary);
        assert_int_equal(judgement.trust.timeline, row.timeline);
        assert_int_equal(judgement.alarms.size(), row.alarms);
    }
}

TEST(alarms_name_who_and_why) {
    Bench split({{'P', 1}, {'P', 2}, {'R', 2, 0, 8000}});
    Judgement judgement = judge_roles(split.pointers, aliases, {});
    assert_text_equal(judgement.alarms[0],
                      "c belongs to another cluster: its system identifier is 8000, the others' 7000");
    assert_text_equal(judgement.alarms[1],
                      "a takes writes on timeline 1 while b does on timeline 2: split brain");
    Bench returned({{'P', 1}, {'.'}, {'.'}});
    judgement = judge_roles(returned.pointers, aliases, {ours, 2, 1});
    assert_text_equal(judgement.alarms[0],
                      "a takes writes on timeline 1, but a primary has been on timeline 2");
}

TEST_MAIN("replicas roles")
