// The table of a program's commands and options, from the parser that takes them: manual pages and completions are made of it.
#pragma once

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

namespace larder {

// One line each, tab-separated: command, option or positional, its value, its default, its environment variable, sentence.
// The line of a command itself has no option, those of options for all commands have no command.
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
