// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/names.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "cli/log.hpp"
#include "container/id.hpp"

namespace sctr::cli {

namespace {

/// What the names of a verb are of.
std::string noun_of(const CLI::App& app) {
    const std::array<std::pair<std::string_view, const char*>, 4> kinds{
        {{"sctr volume", "volume"},
         {"sctr network", "network"},
         {"sctr secret", "secret"},
         {"sctr rmi", "image"}}};
    const auto* const known =
        std::ranges::find(kinds, app.get_name(), &decltype(kinds)::value_type::first);
    return known == kinds.end() ? "container" : known->second;
}

/// `act` returns whether the name is printed.
int for_each(const std::vector<std::string>& names,
             const CLI::App& app,
             const std::function<bool(const std::string&)>& act) {
    if (names.empty()) {
        throw Error("no " + noun_of(app) + " named").mend("see '" + app.get_name() + " --help'");
    }
    std::optional<Error> failure;
    for (const std::string& name : names) {
        try {
            if (act(name)) {
                std::puts(name.c_str());
            }
        } catch (const Error& error) {
            if (failure) {
                log(LogLevel::error, failure->what());
            }
            failure = error;
        }
    }
    if (failure) {
        throw Error(*failure);
    }
    return 0;
}

} // namespace

int for_each_word(const std::vector<std::string>& names,
                  const CLI::App& app,
                  const std::function<void(const std::string&)>& act) {
    return for_each(names, app, [&act](const std::string& name) {
        act(name);
        return true;
    });
}

bool act_unless_gone(const std::string& word,
                     const std::function<bool(const std::string&)>& is_there,
                     const std::function<void(const std::string&)>& act) {
    try {
        act(word);
        return true;
    } catch (const Error& error) {
        // One of another place is about what stays behind.
        if (error.where() != word || is_there(word)) {
            throw;
        }
        return false;
    }
}

int for_each_present(const std::vector<std::string>& words,
                     const CLI::App& app,
                     const std::function<bool(const std::string&)>& is_there,
                     const std::function<void(const std::string&)>& act) {
    return for_each(words, app, [&](const std::string& word) {
        return is_there(word) && act_unless_gone(word, is_there, act);
    });
}

int for_each_name(const std::vector<std::string>& names,
                  const CLI::App& app,
                  const std::function<void(const std::string&)>& act) {
    return for_each_word(names, app, [&act](const std::string& name) {
        container::check_id(name); // before it becomes a path
        act(name);
    });
}

void require_prune_to_force(bool force, const std::string& verb) {
    if (force && verb != "prune") {
        throw Error("only prune takes it")
            .at("--force")
            .because("what a container uses is not removed, and nothing else is asked about")
            .mend("drop it; remove the containers first, if there are any: sctr rm -f");
    }
}

} // namespace sctr::cli
