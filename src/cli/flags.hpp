// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The little that every verb needs of CLI11. Values are kept as text: what they mean, and the
/// error when they mean nothing, is decided in one place by the request builder.
namespace sctr::cli {

/// A flag with a value; the last one given wins, as in docker and podman.
CLI::Option* add_text(CLI::App& app,
                      const std::string& names,
                      std::optional<std::string>& value,
                      const std::string& description);

/// A flag with a value that may be given many times, one value each.
CLI::Option* add_texts(CLI::App& app,
                       const std::string& names,
                       std::vector<std::string>& values,
                       const std::string& description);

/// A flag without a value; "--name=false" takes it back.
CLI::Option*
add_switch(CLI::App& app, const std::string& names, bool& value, const std::string& description);

/// The words of a command line, cut at the first that is no flag and no value of one: what follows
/// belongs to the command in the container and is never read as flags.
struct SplitWords {
    std::vector<std::string> flags;
    std::vector<std::string> rest;
};

/// Cuts `words` by the flags that `app` knows. A "--" between the two is dropped, and "--flag="
/// becomes a flag with an empty value, which CLI11 would take for a flag without one.
SplitWords split_words(const CLI::App& app, const std::vector<std::string>& words);

/// A flag of a command line.
struct GivenFlag {
    const CLI::Option* option; ///< of the app; never nothing
    std::string name;          ///< as typed: "--memory", "-m"
    std::string value;         ///< empty where it has none
};

/// The flags among `words` that `app` knows; each of a group of short ones ("-it"). There may be
/// names among them, but no command with flags of its own: see split_words.
std::vector<GivenFlag> given_flags(const CLI::App& app, const std::vector<std::string>& words);

/// `flags`, as split_words cuts them off, without those of these long names and their values.
std::vector<std::string> without_flags(const CLI::App& app,
                                       const std::vector<std::string>& flags,
                                       const std::vector<std::string>& names);

/// The same without those that a later one takes the place of: of flags with one value, and of
/// switches, the last counts. A group of short ones ("-it") stays.
std::vector<std::string> without_overridden(const CLI::App& app,
                                            const std::vector<std::string>& flags);

/// Sets what --help says beside the flags: the words after the verb, and examples. Adds
/// --log-level, which every verb has.
void describe(CLI::App& app, const std::string& words, const std::vector<std::string>& examples);

/// Thrown for --help: the text to print.
struct HelpText {
    std::string text;
};

/// Parses flags alone. Throws Error that names the flag as it was typed, why it is wrong and, for
/// an unknown one, the nearest that exists; throws HelpText for --help.
void parse_flags(CLI::App& app, const std::vector<std::string>& flags);

/// Cuts `words` into flags and names, which may come in any order.
SplitWords split_names(const CLI::App& app, const std::vector<std::string>& words);

/// Parses a command line whose words after the flags are names; flags may come after them too.
/// Throws as parse_flags.
std::vector<std::string> parse_names(CLI::App& app, const std::vector<std::string>& words);

/// The candidate nearest to a mistyped word; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

} // namespace sctr::cli
