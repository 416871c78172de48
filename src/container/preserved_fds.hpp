// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "plan/init_plan.hpp"

namespace sctr::container {

/// The caller's fds from 3 on that a command inherits, under numbers that sctr-init does not use
/// itself until it puts them back.
class PreservedFds {
  public:
    /// Takes `count` fds and notes them in the process's plan. Throws Error when one is not open.
    PreservedFds(int count, plan::ProcessStep& process);

    /// What sctr-init has to inherit.
    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }

  private:
    std::vector<UniqueFd> fds_;
    std::vector<int> numbers_;
};

} // namespace sctr::container
