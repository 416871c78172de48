// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/flags.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/log.hpp"
#include "cli/typed_names.hpp"

namespace sctr::cli {
namespace {

constexpr std::size_t help_column = 34; // as wide as the longest flag

const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
    return app.get_option_no_throw(name);
}

bool takes_value(const CLI::Option* option) {
    return option != nullptr && option->get_items_expected_max() > 0;
}

/// The word after a group of short flags ("-it", "-e") is the value of the last one.
bool short_group_wants_value(const CLI::App& app, const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
        if (takes_value(find_option(app, std::string("-") + word[i]))) {
            return i + 1 == word.size();
        }
    }
    return false;
}

/// True for a flag whose value is the next word.
bool is_before_value(const CLI::App& app, const std::string& word) {
    return word.starts_with("--") ? !word.contains('=') && takes_value(find_option(app, word))
                                  : short_group_wants_value(app, word);
}

/// A flag as it was given, with the word that is its value.
struct FlagWords {
    std::string name;
    std::vector<std::string> words;
};

std::vector<FlagWords> with_values(const CLI::App& app, const std::vector<std::string>& flags) {
    std::vector<FlagWords> all;
    for (std::size_t i = 0; i < flags.size(); ++i) {
        FlagWords given{.name = flags[i].substr(0, flags[i].find('=')), .words = {flags[i]}};
        if (is_before_value(app, flags[i]) && i + 1 < flags.size()) {
            given.words.push_back(flags[++i]);
        }
        all.push_back(std::move(given));
    }
    return all;
}

/// Whether two neighbours in the one are the wrong way round in the other.
bool is_swapped(std::string_view one, std::string_view other) {
    const auto [first, second] = std::ranges::mismatch(one, other);
    const auto at = static_cast<std::size_t>(first - one.begin());
    return one.size() == other.size() && at + 1 < one.size() && one[at] == other[at + 1] &&
           one[at + 1] == other[at] && one.substr(at + 2) == other.substr(at + 2);
}

std::string help_hint(const CLI::App& app) {
    return "see '" + app.get_name() + " --help'";
}

Error unknown_flag(const CLI::App& app, const std::vector<std::string>& leftover) {
    const std::string word = leftover.empty() ? "" : leftover.front();
    if (!word.starts_with('-')) {
        return Error("unexpected argument '" + word + "'").mend(help_hint(app));
    }
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    const std::string flag = word.substr(0, word.find('='));
    Error error("unknown flag '" + flag + "'");
    if (flag == "--system" || flag == "--user") {
        return error.because("it goes before the verb").mend("see 'sctr --help'");
    }
    if (const std::string close = nearest(flag, names); !close.empty()) {
        error.because("did you mean '" + close + "'?");
    }
    error.mend(help_hint(app));
    return error;
}

} // namespace

CLI::Option* add_text(CLI::App& app,
                      const std::string& names,
                      std::optional<std::string>& value,
                      const std::string& description) {
    const auto keep = [&value](const CLI::results_t& words) {
        value = words.back();
        return true;
    };
    return app.add_option(names, keep, description)
        ->type_name("VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* add_texts(CLI::App& app,
                       const std::string& names,
                       std::vector<std::string>& values,
                       const std::string& description) {
    const auto keep = [&values](const CLI::results_t& words) {
        values = words;
        return true;
    };
    return app.add_option(names, keep, description)
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args(false)
        ->type_name("VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option*
add_switch(CLI::App& app, const std::string& names, bool& value, const std::string& description) {
    return app.add_flag(names, value, description)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

SplitWords split_words(const CLI::App& app, const std::vector<std::string>& words) {
    SplitWords result;
    std::size_t i = 0;
    const auto take_value = [&] {
        if (i + 1 < words.size()) {
            result.flags.push_back(words[++i]);
        }
    };
    for (; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--") {
            ++i;
            break;
        }
        if (word.size() < 2 || word.front() != '-') {
            break;
        }
        const auto equals = word.find('=');
        if (word.starts_with("--") && equals != std::string::npos) {
            const std::string name = word.substr(0, equals);
            if (equals + 1 == word.size() && takes_value(find_option(app, name))) {
                result.flags.push_back(name);
                result.flags.emplace_back();
            } else {
                result.flags.push_back(word);
            }
            continue;
        }
        result.flags.push_back(word);
        const bool wants_value = is_before_value(app, word);
        if (wants_value) {
            take_value();
        }
    }
    result.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(std::min(i, words.size())),
                       words.end());
    return result;
}

namespace {

/// Of "-m1g", "-m 1g" or "-itm 1g".
void add_short_group(std::vector<GivenFlag>& all,
                     const CLI::App& app,
                     const std::vector<std::string>& words) {
    const std::string& group = words.front();
    for (std::size_t i = 1; i < group.size(); ++i) {
        const std::string name = std::string("-") + group[i];
        const CLI::Option* option = find_option(app, name);
        if (option == nullptr) {
            return;
        }
        GivenFlag given{.option = option, .name = name, .value = ""};
        if (takes_value(option)) {
            given.value = i + 1 < group.size() ? group.substr(i + 1) : words.back();
            i = group.size();
        }
        all.push_back(std::move(given));
    }
}

} // namespace

std::vector<GivenFlag> given_flags(const CLI::App& app, const std::vector<std::string>& words) {
    std::vector<GivenFlag> all;
    for (const FlagWords& each : with_values(app, words)) {
        const std::string& word = each.words.front();
        if (!word.starts_with("--")) {
            if (word.starts_with('-')) {
                add_short_group(all, app, each.words);
            }
            continue;
        }
        const CLI::Option* option = find_option(app, each.name);
        if (option == nullptr) {
            continue;
        }
        GivenFlag given{.option = option, .name = each.name, .value = ""};
        if (each.words.size() > 1) {
            given.value = each.words.back();
        } else if (const auto equals = word.find('='); equals != std::string::npos) {
            given.value = word.substr(equals + 1);
        }
        all.push_back(std::move(given));
    }
    return all;
}

std::vector<std::string> without_flags(const CLI::App& app,
                                       const std::vector<std::string>& flags,
                                       const std::vector<std::string>& names) {
    std::vector<std::string> kept;
    for (const FlagWords& given : with_values(app, flags)) {
        if (!std::ranges::contains(names, given.name)) {
            kept.insert(kept.end(), given.words.begin(), given.words.end());
        }
    }
    return kept;
}

std::vector<std::string> without_overridden(const CLI::App& app,
                                            const std::vector<std::string>& flags) {
    const auto all = with_values(app, flags);
    std::map<const CLI::Option*, const FlagWords*> last;
    for (const FlagWords& given : all) {
        last[find_option(app, given.name)] = &given;
    }
    std::vector<std::string> kept;
    for (const FlagWords& given : all) {
        const CLI::Option* option = find_option(app, given.name);
        const bool counts_once = option != nullptr && option->get_multi_option_policy() ==
                                                          CLI::MultiOptionPolicy::TakeLast;
        if (!counts_once || last.at(option) == &given) {
            kept.insert(kept.end(), given.words.begin(), given.words.end());
        }
    }
    return kept;
}

void describe(CLI::App& app, const std::string& words, const std::vector<std::string>& examples) {
    app.usage("Usage: " + app.get_name() + " " + words);
    std::string footer = "Examples:";
    for (const std::string& example : examples) {
        footer += "\n  " + example;
    }
    app.footer(footer);
    app.get_formatter()->column_width(help_column);
    const auto set_level = [](const CLI::results_t& levels) {
        set_log_level(levels.back());
        return true;
    };
    app.add_option("--log-level", set_level, "error, warn (default), info or debug")
        ->type_name("VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

SplitWords split_names(const CLI::App& app, const std::vector<std::string>& words) {
    SplitWords result;
    SplitWords split;
    for (auto rest = words; !rest.empty(); rest = split.rest) {
        split = split_words(app, rest);
        result.flags.insert(result.flags.end(), split.flags.begin(), split.flags.end());
        if (!split.rest.empty()) {
            result.rest.push_back(split.rest.front());
            split.rest.erase(split.rest.begin());
        }
    }
    return result;
}

std::vector<std::string> parse_names(CLI::App& app, const std::vector<std::string>& words) {
    SplitWords split = split_names(app, words);
    parse_flags(app, split.flags);
    return std::move(split.rest);
}

void parse_flags(CLI::App& app, const std::vector<std::string>& flags) {
    try {
        // CLI11 takes words from the back.
        app.parse(std::vector<std::string>(flags.rbegin(), flags.rend()));
    } catch (const CLI::CallForHelp&) {
        throw HelpText{app.help()};
    } catch (const CLI::ExtrasError&) {
        throw unknown_flag(app, app.remaining());
    } catch (const CLI::ParseError& error) {
        Error named(error.what());
        TypedNames(app, flags).rename(named.mend(help_hint(app)));
        throw named;
    }
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::string best;
    // One letter wrong may be any, of five two; dashes are none.
    const std::size_t letters = word.size() - std::min(word.find_first_not_of('-'), word.size());
    std::size_t best_distance = letters / 5 + 2;
    for (const std::string& candidate : candidates) {
        const std::size_t distance =
            is_swapped(word, candidate) ? 1 : edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

} // namespace sctr::cli
