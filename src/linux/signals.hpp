// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <csignal>
#include <optional>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// The signals that a supervisor passes on, taken as events instead of interruptions; given back
/// when it goes out of scope. What stops the terminal's job (TSTP, TTIN, TTOU), reports children
/// or belongs to faults stays as it is.
class SignalQueue {
  public:
    SignalQueue();
    ~SignalQueue();
    SignalQueue(const SignalQueue&) = delete;
    SignalQueue& operator=(const SignalQueue&) = delete;
    SignalQueue(SignalQueue&&) = delete;
    SignalQueue& operator=(SignalQueue&&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }

    /// The next signal that has arrived, or directory_changed.
    [[nodiscard]] std::optional<int> take() const;

    /// What take() gives for the kernel's word about a directory (watch_directory).
    static constexpr int directory_changed = 0;

  private:
    UniqueFd fd_;
    sigset_t saved_{};
};

} // namespace sctr::sys
