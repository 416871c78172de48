// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "linux/process.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::container {

/// Opens for sctr-init the trees that only the host's root can: a child of ours enters the
/// container's new mount namespace with our privileges, clones them there, where the kernel has
/// locked the flags that the container must not lose, and sends them over a socket of their own.
///
/// What fails is told to sctr-init, which reports it as its own.
class HostTrees {
  public:
    /// Makes the socket, and notes it in the plan, if the plan has such trees. Throws Error.
    explicit HostTrees(plan::LaunchPlan& plan);

    /// The end that sctr-init must inherit; -1: there is none.
    [[nodiscard]] int inherited() const { return theirs_.get(); }

    /// Starts the child, which waits until sctr-init is in its mount namespace. Throws Error.
    void serve(const std::vector<plan::HostTree>& trees, const sys::Child& init);

  private:
    UniqueFd ours_;
    UniqueFd theirs_;
    sys::Child child_;
};

} // namespace sctr::container
