// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string_view>

/// Whose containers a command line is about: `sctr --system VERB` and `sctr --user VERB`.
namespace sctr::cli {

/// What the words before the verb ask for; once, before the verb runs. Throws Error where the
/// caller has no such containers.
void choose_target(bool system, bool user);

/// True when somebody who is not root asks for the system's containers: what is done goes through
/// container::SystemContainers then. For root they are its own.
bool is_for_system();

/// Throws Error that `verb` takes to be root, where is_for_system(); `why` says why, empty: it does
/// not.
void require_own_target(std::string_view verb, std::string_view why);

/// The uid whose processes, journald vouches for it, wrote what is told of these containers.
std::uint32_t journal_uid();

/// True when the units of these containers are the system manager's.
bool has_system_units();

} // namespace sctr::cli
