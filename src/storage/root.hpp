// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/init_plan.hpp"
#include "storage/store.hpp"

namespace sctr::storage {

/// What a container writes above its lower directories: roots/NAME of the store.
class ContainerRoot {
  public:
    /// Where the container's root will be mounted, and what sctr-init mounts there. Nothing is made
    /// yet. `keep`: what is written outlives the container, and must reach the disk.
    static plan::OverlayStep
    overlay(const Store& store, const std::string& name, std::vector<std::string> lower, bool keep);
    static std::string place(const Store& store, const std::string& name);

    /// Makes the directories, or takes those of an earlier run of a stored container, and locks
    /// them. Throws Error when they are in use.
    ContainerRoot(const Store& store, const std::string& name, const plan::OverlayStep& overlay);

    /// Makes anew the directories of another overlay in such a root, which is locked: nothing that
    /// was written above it outlives a run. Throws Error.
    static void make_mount(const plan::OverlayStep& overlay);

    /// Removes what the container wrote. Throws Error.
    void remove();

  private:
    std::string path_;
    UniqueFd lock_;
};

/// For a container that is forgotten, or gets another name. Throws Error.
void remove_root(const Store& store, const std::string& name);
void rename_root(const Store& store, const std::string& name, const std::string& new_name);

} // namespace sctr::storage
