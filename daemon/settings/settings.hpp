// larderd's settings, read from larderd.toml and validated. settings.def has the table of all settings.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "value.hpp"

namespace larder::daemon {

using namespace std::chrono_literals;

#define SECTION(name, Type, often, sentence) struct Type {
#define SETTING(type, name, initial, legal, when, sentence) type name = initial;
#define END_SECTION(name, Type)                                  \
    int line = 0; /* of the section in the file; 0: not there */ \
    }                                                            \
    ;
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION

struct Settings {
#define MEMBER_once(name, Type) Type name;
#define MEMBER_many(name, Type) std::vector<Type> name##s;
#define SECTION(name, Type, often, sentence) MEMBER_##often(name, Type)
#define SETTING(type, name, initial, legal, when, sentence)
#define END_SECTION(name, Type)
#include "settings.def"
#undef SECTION
#undef SETTING
#undef END_SECTION
#undef MEMBER_once
#undef MEMBER_many
};

// what() has one line for each error in the file: "FILE:LINE: ...".
class SettingsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Parse and validate settings; throw SettingsError. `file`: the name in error messages.
Settings parse_settings(std::string_view toml, const std::string& file);
Settings load_settings(const std::string& file);

// One line per setting, with tab-separated columns: section, key, type, default, legal values, "live" or "restart",
// description.
std::string list_settings();

// The names ("queue.url") of settings that differ and need a restart to take effect.
std::vector<std::string> restart_needed(const Settings& running, const Settings& wanted);

}  // namespace larder::daemon
