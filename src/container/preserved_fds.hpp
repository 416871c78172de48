// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <set>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::container {

/// The caller's fds that a command inherits, under numbers that nothing else uses until sctr-init
/// puts them back.
class PreservedFds {
  public:
    PreservedFds() = default;

    /// Takes `count` fds from 3 on, and those of `more`. To be called before this process opens
    /// anything that stays open: what it opens takes the numbers that the caller left free, and
    /// must not pass for the caller's. Throws Error when one is not open.
    explicit PreservedFds(int count, const std::set<int>& more = {});

    /// What sctr-init has to inherit for the command's 3, 4, ...; -1 where that one is closed.
    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }

  private:
    void take(int fd, const char* mend);

    std::vector<UniqueFd> fds_;
    std::vector<int> numbers_;
};

} // namespace sctr::container
