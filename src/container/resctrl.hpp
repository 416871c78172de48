// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>

#include "oci/spec.hpp"

/// Cache and memory bandwidth classes of the CPU (Intel RDT), through the resctrl file system.
/// Source: config-linux.md, IntelRdt; the kernel's documentation of resctrl.
namespace sctr::container {

inline constexpr const char* resctrl_root = "/sys/fs/resctrl";

/// Puts a process, and what it will fork, into the class of `rdt`: one that exists, or a new one
/// named after the container. Throws Error with the JSON pointer.
void join_resctrl(const oci::IntelRdt& rdt,
                  const std::string& id,
                  pid_t pid,
                  const std::string& root = resctrl_root);

/// Removes what was made for the container alone: its class, and its monitoring group in a class
/// that others share.
void leave_resctrl(const oci::IntelRdt& rdt,
                   const std::string& id,
                   const std::string& root = resctrl_root);

} // namespace sctr::container
