// Reads the file by the table in settings.def. Collects all errors before it throws.
#include "settings.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "daemon/prerender/file_path.hpp"
#include "daemon/render/request.hpp"
#include "databases.hpp"
#include "legal.hpp"

namespace larder::daemon {

namespace {

class Problems {
public:
    explicit Problems(std::string file) : file_(std::move(file)) {}

    // `line` 0: the error concerns the file as a whole.
    void add(int line, const std::string& text) { problems_.emplace_back(line, text); }

    void throw_if_any() {
        if (problems_.empty()) return;
        auto place = [](const auto& problem) {
            return problem.first == 0 ? std::numeric_limits<int>::max() : problem.first;
        };
        std::stable_sort(problems_.begin(), problems_.end(),
                         [&](const auto& a, const auto& b) { return place(a) < place(b); });
        std::string all;
        for (const auto& [line, text] : problems_) {
            all += (all.empty() ? "" : "\n") + file_ + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                   text;
        }
        throw SettingsError(all);
    }

private:
    std::string file_;
    std::vector<std::pair<int, std::string>> problems_;
};

int line_of(const toml::node& node) {
    return static_cast<int>(node.source().begin.line);
}

// The value as written in the file, on one line, for error messages. Values that may hold a secret are replaced.
std::string written(const toml::node& node, std::string_view key) {
    for (std::string_view secret : {"token", "key", "fallback_keys", "primary", "replica", "headers"}) {
        if (key == secret) return "its value";
    }
    std::ostringstream out;
    node.visit([&out](const auto& n) { out << n; });
    std::string text = out.str();
    if (text.find("://") != std::string::npos && text.find('@') != std::string::npos) return "its value";
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.size() > 80 ? text.substr(0, 80) + "..." : text;
}

// Reads one section into its struct. Unknown keys are errors.
class SectionReader {
public:
    SectionReader(const toml::table& table, std::string section, Problems& problems)
        : table_(table), section_(std::move(section)), problems_(problems) {}

    template <typename T>
    void setting(const char* key, T& value, const Legal<T>& legal) {
        known_.emplace_back(key);
        const toml::node* node = table_.get(key);
        if (node != nullptr) {
            if (!read_value(*node, value) || !legal.allows(value)) complain(*node, key, value, legal.words);
        } else if (!legal.allows(value)) {
            problems_.add(line_of(table_), section_ + "." + key + " is missing; legal: " + legal.words);
        }
    }

    void finish() const {
        for (const auto& [key, node] : table_) {
            if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
            std::string legal;
            for (const std::string& name : known_) legal += (legal.empty() ? "" : ", ") + name;
            problems_.add(
                static_cast<int>(key.source().begin.line),
                "unknown setting \"" + std::string(key.str()) + "\" in [" + section_ + "]; legal: " + legal);
        }
    }

private:
    template <typename T>
    void complain(const toml::node& node, const char* key, const T& value, const std::string& words) {
        problems_.add(line_of(node), section_ + "." + key + ": " + written(node, key) +
                                         " is not legal; legal: " + type_name(value) + ", " + words);
    }

    const toml::table& table_;
    std::string section_;
    Problems& problems_;
    std::vector<std::string> known_;
};

#define SECTION(name, Type, often, sentence)                                      \
    void read_section(const toml::table& table, Type& into, Problems& problems) { \
        into.line = line_of(table);                                               \
        SectionReader reader(table, #name, problems);
#define SETTING(type, name, initial, legal, when, sentence) reader.setting<type>(#name, into.name, legal);
#define END_SECTION(name, Type) \
    reader.finish();            \
    }
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION

template <typename Section>
void read_once(const toml::node& node, const char* name, Section& into, Problems& problems) {
    if (const toml::table* table = node.as_table()) return read_section(*table, into, problems);
    problems.add(line_of(node), std::string("\"") + name + "\" is not a section; legal: [" + name + "]");
}

template <typename Section>
void read_many(const toml::node& node, const char* name, std::vector<Section>& into, Problems& problems) {
    const toml::array* array = node.as_array();
    bool tables = array != nullptr &&
                  std::all_of(array->begin(), array->end(), [](const auto& n) { return n.is_table(); });
    if (!tables) {
        return problems.add(line_of(node), std::string("\"") + name +
                                               "\" is not a list of sections; legal: [[" + name + "]]");
    }
    for (const toml::node& element : *array) read_section(*element.as_table(), into.emplace_back(), problems);
}

void read_sections(const toml::table& root, Settings& settings, Problems& problems) {
    for (const auto& [key, node] : root) {
        std::string_view name = key.str();
        bool known = false;
#define READ_once(section) read_once(node, #section, settings.section, problems)
#define READ_many(section) read_many(node, #section, settings.section##s, problems)
#define SECTION(section, Type, often, sentence) \
    if (name == #section) {                     \
        known = true;                           \
        READ_##often(section);                  \
    }
#define SETTING(type, name, initial, legal, when, sentence)
#define END_SECTION(name, Type)
#include "settings.def"
        if (known) continue;
        std::string legal;
#undef SECTION
#define SECTION(section, Type, often, sentence) legal += (legal.empty() ? "" : ", ") + std::string(#section);
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION
#undef READ_once
#undef READ_many
        problems.add(static_cast<int>(key.source().begin.line),
                     "unknown section \"" + std::string(name) + "\"; legal: " + legal);
    }
}

template <typename Section>
void check_unique(const std::vector<Section>& sections, const char* kind, Problems& problems) {
    std::set<std::string> seen;
    for (const Section& section : sections) {
        if (section.name.empty() || seen.insert(section.name).second) continue;
        problems.add(section.line, std::string(kind) + ".name: \"" + section.name +
                                       "\" is there twice; legal: a name of its own");
    }
}

void check_store_exists(const Settings& settings, const std::string& store, int line, const char* section,
                        Problems& problems) {
    std::string legal;
    for (const StoreSettings& known : settings.stores) {
        if (store.empty() || store == known.name) return;
        legal += (legal.empty() ? "" : ", ") + show(known.name);
    }
    if (settings.stores.empty()) return;
    problems.add(line,
                 std::string(section) + ".store: " + show(store) + " is not a [[store]]; legal: " + legal);
}

// Listed pages that can't have a file are errors. Pages of a sitemap are only known at run time: the prerenderer skips
// those that can't have a file, as well as pages that are named like the file itself or would share a file with another page.
void check_files(const PrerenderSettings& pages, Problems& problems) {
    if (pages.directory.empty()) return;
    std::string host;
    for (const std::string& url : pages.urls) {
        auto page = parse_page_url(url);
        if (!page) continue;
        const char* why = nullptr;
        if (!file_directories(page->path, page->query, &why) && !page->path.ends_with(page_file)) {
            problems.add(pages.line,
                         "prerender.urls: " + show(url) + ": " + why + "; legal with directory: plain paths");
        }
        if (!host.empty() && host != page->host) {
            problems.add(pages.line,
                         "prerender.urls: " + show(url) +
                             " is of another host than the first; legal with directory: one host");
        }
        if (host.empty()) host = page->host;
    }
}

// Prerendering a page that no backend renders would fail at each run. Other hosts are rendered by nginx, by render calls, which need
// the key; their sitemaps are fetched at the first of nginx.urls.
void check_hosts(const Settings& settings, const PrerenderSettings& pages, Problems& problems) {
    auto check = [&](const char* setting, const std::string& url) {
        auto page = parse_page_url(url);
        if (!page || settings.backends.empty() || backend_for(settings, page->host) != nullptr) return;
        problems.add(pages.line, "prerender." + std::string(setting) + ": no [[backend]] renders the host of " + show(url) +
                                     "; legal: a host that one of backend.hosts names");
    };
    if (settings.signing.key.empty())
        for (const std::string& url : pages.urls) check("urls", url);
    if (!pages.sitemap.empty() && settings.nginx.urls.empty()) check("sitemap", pages.sitemap);
}

// Two sets must not share a directory: sets run at the same time, and each considers all files in its directory its own.
void check_directories(const std::vector<PrerenderSettings>& sets, Problems& problems) {
    std::map<std::filesystem::path, std::string> owners;
    for (const PrerenderSettings& set : sets) {
        if (set.directory.empty()) continue;
        auto directory = (std::filesystem::path(set.directory) / "").lexically_normal();
        auto [owner, free] = owners.emplace(directory, set.name);
        if (free) continue;
        problems.add(set.line, "prerender.directory: " + show(set.directory) + " is that of the set " +
                                   show(owner->second) + ", too; legal: a directory of its own");
    }
}

void check_databases(const Settings& settings, Problems& problems) {
    if (settings.databases.empty()) return;
    for (const replicas::Problem& problem : replicas::validate(replica_settings(settings))) {
        problems.add(settings.databases[problem.database].line,
                     "database." + problem.key + " " + problem.text);
    }
    if (settings.signing.key.empty()) {
        problems.add(
            settings.signing.line,
            "signing.key is missing, and databases are configured; legal: at least 16 visible characters");
    }
}

// Checks that involve several settings.
void check_together(const Settings& settings, Problems& problems) {
    if (settings.stores.empty()) problems.add(0, "there is no [[store]]; legal: at least one");
    if (settings.backends.empty() && settings.signing.key.empty())
        problems.add(0, "there is neither a [[backend]] nor a key under [signing], with which nginx is asked for pages; legal: one of them");
    for (const BackendSettings& backend : settings.backends)
        if (backend.name == "nginx") problems.add(backend.line, "backend name = \"nginx\"; that is nginx itself; legal: any other");
    check_unique(settings.stores, "store", problems);
    check_unique(settings.backends, "backend", problems);
    check_unique(settings.prerenders, "prerender", problems);
    check_store_exists(settings, settings.warm.store, settings.warm.line, "warm", problems);
    for (const PrerenderSettings& pages : settings.prerenders) {
        check_store_exists(settings, pages.store, pages.line, "prerender", problems);
        check_files(pages, problems);
        check_hosts(settings, pages, problems);
        if (pages.urls.empty() && pages.sitemap.empty()) {
            problems.add(pages.line,
                         "prerender \"" + pages.name + "\" names no page; legal: urls, or sitemap, or both");
        }
    }
    check_directories(settings.prerenders, problems);
    check_databases(settings, problems);
    if (settings.queue.retry_longest < settings.queue.retry_first) {
        problems.add(settings.queue.line, "queue.retry_longest: " + show(settings.queue.retry_longest) +
                                              " is below queue.retry_first; legal: at least " +
                                              show(settings.queue.retry_first));
    }
}

#define SECTION(name, Type, often, sentence)                                          \
    void compare(const Type& a, const Type& b, std::vector<std::string>& differing) { \
        const std::string section = #name;
#define SETTING(type, name, initial, legal, when, sentence) \
    if (std::string_view(#when) == "restart" && !(a.name == b.name)) differing.push_back(section + "." #name);
#define END_SECTION(name, Type) }
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION

template <typename Section>
void compare(const std::vector<Section>& a, const std::vector<Section>& b,
             std::vector<std::string>& differing) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); i++) {
        compare(i < a.size() ? a[i] : Section(), i < b.size() ? b[i] : Section(), differing);
    }
}

}  // namespace

Settings parse_settings(std::string_view toml, const std::string& file) {
    Problems problems(file);
    Settings settings;
    try {
        read_sections(toml::parse(toml, file), settings, problems);
    } catch (const toml::parse_error& error) {
        problems.add(static_cast<int>(error.source().begin.line),
                     "not TOML: " + std::string(error.description()));
        problems.throw_if_any();
    }
    check_together(settings, problems);
    problems.throw_if_any();
    return settings;
}

Settings load_settings(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text;
    try {
        text.assign(std::istreambuf_iterator<char>(in), {});
    } catch (const std::exception&) {  // it is a directory, or the disk is broken
        in.setstate(std::ios::failbit);
    }
    if (!in) throw SettingsError(file + ": cannot be read; legal: a readable file");
    return parse_settings(text, file);
}

std::string list_settings() {
    std::ostringstream out;
    const char* section = "";
#define BRACKETS_once(name) "[" #name "]"
#define BRACKETS_many(name) "[[" #name "]]"
#define SECTION(name, Type, often, sentence) section = BRACKETS_##often(name);
#define SETTING(type, name, initial, legal, when, sentence)                                 \
    out << section << '\t' << #name << '\t' << #type << '\t' << show(type(initial)) << '\t' \
        << Legal<type>(legal).words << '\t' << #when << '\t' << sentence << '\n';
#define END_SECTION(name, Type)
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION
#undef BRACKETS_once
#undef BRACKETS_many
    return out.str();
}

std::vector<std::string> restart_needed(const Settings& running, const Settings& wanted) {
    std::vector<std::string> differing;
#define COMPARE_once(name) compare(running.name, wanted.name, differing);
#define COMPARE_many(name) compare(running.name##s, wanted.name##s, differing);
#define SECTION(name, Type, often, sentence) COMPARE_##often(name)
#define SETTING(type, name, initial, legal, when, sentence)
#define END_SECTION(name, Type)
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION
#undef COMPARE_once
#undef COMPARE_many
    differing.erase(std::unique(differing.begin(), differing.end()), differing.end());
    return differing;
}

}  // namespace larder::daemon
