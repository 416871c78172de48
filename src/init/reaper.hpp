// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

/// `sctr run --init`: a first process that does what the kernel expects of one, and the command as
/// its child.
namespace sctr::init {

/// The word after the program's name that makes sctr-init this.
inline constexpr const char* reaper_word = "reap";

/// Executes this program anew as that first process, so that it has nothing in memory of what
/// sctr-init knew: it is the container's from then on. `program` is this program, `path` what the
/// command's name has been found to be. Returns with errno when the kernel refuses.
void become_reaper(int program,
                   const std::string& path,
                   const std::vector<std::string>& args,
                   const std::vector<std::string>& env) noexcept;

/// That process: starts the command, passes every signal on to it, reaps whatever ends, and ends
/// with the command's exit status, as a shell sees it. `argv` is what become_reaper made.
[[noreturn]] void run_reaper(int argc, char** argv) noexcept;

} // namespace sctr::init
