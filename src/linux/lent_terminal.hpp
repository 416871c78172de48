// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// The controlling terminal, while a child of this process may change its modes. They are put back,
/// after that child has been ended, when this goes out of scope, and before a signal ends this
/// process (HUP, INT, QUIT, TERM, as far as those are not ignored). There can be one at a time.
class LentTerminal {
  public:
    /// `terminal`: an open file of it.
    explicit LentTerminal(UniqueFd terminal) noexcept;
    ~LentTerminal();
    LentTerminal(const LentTerminal&) = delete;
    LentTerminal& operator=(const LentTerminal&) = delete;
    LentTerminal(LentTerminal&&) = delete;
    LentTerminal& operator=(LentTerminal&&) = delete;

    /// The child that has it from now on; must not be reaped by anybody else.
    void lend_to(UniqueFd pidfd) noexcept;

    /// The child, to wait for.
    [[nodiscard]] int child() const { return child_.get(); }

  private:
    UniqueFd terminal_;
    UniqueFd child_;
};

} // namespace sctr::sys
