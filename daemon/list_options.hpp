// Prints a program's commands and options as a table, from its command-line parser. tools/manual and tools/completion read
// it.
#pragma once

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

namespace larder {

// One line for each command and option, with tab-separated columns: command, option or positional argument, its value, its
// default, its environment variable, its description. A command's own line has an empty option; an option of all commands
// has an empty command.
inline std::string list_options(const CLI::App& app, const std::string& command = "") {
    std::string lines;
    for (const CLI::Option* option : app.get_options()) {
        std::string value = option->get_items_expected_max() == 0 ? "" : option->get_type_name();
        lines += command + '\t' + option->get_name(option->get_positional(), true) + '\t' + value + '\t' +
                 option->get_default_str() + '\t' + option->get_envname() + '\t' + option->get_description() +
                 '\n';
    }
    for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; })) {
        lines += one->get_name() + "\t\t\t\t\t" + one->get_description() + '\n' +
                 list_options(*one, one->get_name());
    }
    return lines;
}

inline void add_list_options(CLI::App& app) {
    app.add_flag_callback(
        "--list-options",
        [&app] {
            std::cout << list_options(app);
            throw CLI::Success();
        },
        "Print the table of all commands and options, tab-separated, and exit");
}

}  // namespace larder
