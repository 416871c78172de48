// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <CLI/App.hpp>

#include <functional>
#include <string>
#include <vector>

namespace sctr::cli {

/// Does `act` for every word and prints the names for which it worked, as docker does. A failure
/// does not keep the others from their turn; the last one is thrown, those before it are logged.
/// Returns the exit status. Throws Error when there is none.
int for_each_word(const std::vector<std::string>& words,
                  const CLI::App& app,
                  const std::function<void(const std::string&)>& act);

/// The same with names of containers, which are checked first.
int for_each_name(const std::vector<std::string>& names,
                  const CLI::App& app,
                  const std::function<void(const std::string&)>& act);

/// The same for --force and --ignore: a word for what `is_there` does not find is no error and not
/// printed, nor is one for what somebody else removes while `act` is at it.
int for_each_present(const std::vector<std::string>& words,
                     const CLI::App& app,
                     const std::function<bool(const std::string&)>& is_there,
                     const std::function<void(const std::string&)>& act);

/// Does `act`. Returns false where it fails for what is not there any more.
bool act_unless_gone(const std::string& word,
                     const std::function<bool(const std::string&)>& is_there,
                     const std::function<void(const std::string&)>& act);

/// Throws Error where --force is given to anything but the verb prune of a kind of things: what is
/// in use is never removed with its users.
void require_prune_to_force(bool force, const std::string& verb);

} // namespace sctr::cli
