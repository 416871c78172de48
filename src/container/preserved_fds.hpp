// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::container {

/// The caller's fds from 3 on that a command inherits, under numbers that nothing else uses until
/// sctr-init puts them back.
class PreservedFds {
  public:
    /// Takes `count` fds. To be called before this process opens anything that stays open: what it
    /// opens takes the numbers that the caller left free, and must not pass for the caller's.
    /// Throws Error when one is not open.
    explicit PreservedFds(int count);

    /// What sctr-init has to inherit, in the order of the caller's numbers.
    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }

  private:
    std::vector<UniqueFd> fds_;
    std::vector<int> numbers_;
};

} // namespace sctr::container
