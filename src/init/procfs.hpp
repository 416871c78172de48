// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

/// The host's /proc, opened before the container's root is entered. Labels, sysctls and scores are
/// written through it, so that nothing the container has at its own /proc can swallow or redirect
/// them (CVE-2019-16884, CVE-2025-52881).
namespace sctr::init {

enum class MagicLinks { refuse, last };

/// Opens the host's /proc; ends the process when it is not procfs.
UniqueFd open_host_proc() noexcept;

/// Opens a path below `proc` that leads nowhere else; `last` allows its last part to be a magic
/// link (ns/time_for_children).
UniqueFd open_below(int proc, const std::string& path, int flags, MagicLinks magic) noexcept;

/// Writes `text` in one write; false and errno when that fails.
bool write_file(int proc, const std::string& path, std::string_view text) noexcept;

} // namespace sctr::init
