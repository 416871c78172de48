// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"
#include "plan/init_plan.hpp"

/// File systems as the new mount API makes them: fsopen(2), fsconfig(2), fsmount(2).
namespace sctr::init {

/// A new, detached mount of `step.fstype` with the options and attributes of the step.
UniqueFd make_filesystem(const plan::MountStep& step, const std::string& where) noexcept;

/// Gives the file system that `mount` is of the options of the step.
void reconfigure_filesystem(int mount,
                            const plan::MountStep& step,
                            const std::string& where) noexcept;

/// True when the kernel refuses a new instance of the file system to this user namespace.
bool is_refused(const plan::MountStep& step) noexcept;

/// An overlay, detached. Ends the process when the kernel refuses.
UniqueFd make_overlay(const plan::OverlayStep& overlay) noexcept;

} // namespace sctr::init
