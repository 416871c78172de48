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

/// Throws Error where --force is given to anything but the verb prune of a kind of things: what is
/// in use is never removed with its users.
void require_prune_to_force(bool force, const std::string& verb);

} // namespace sctr::cli
