// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "linux/signals.hpp"

namespace sctr::container {

/// Carries bytes between the caller's terminal and the container's, in a poll loop, without ever
/// blocking on a slow reader and without changing the mode of the caller's file descriptors.
class TerminalRelay {
  public:
    /// `input` is -1 when the caller's stdin stays outside. Fds are borrowed, `master` is owned.
    TerminalRelay(UniqueFd master, int input, int output);

    /// Adds what to poll for.
    void add_to(std::vector<struct pollfd>& items) const;
    /// Moves what can be moved now; `items` as poll left them.
    void handle(const std::vector<struct pollfd>& items);

    /// After the container's end: takes what is still in the terminal and delivers it. Gives up
    /// when a signal comes, since a caller may never read again.
    void drain(const sys::SignalQueue& signals);

    /// The caller's terminal is gone: nobody reads or types there any more.
    [[nodiscard]] bool hung_up() const { return hung_up_; }

    [[nodiscard]] int master() const { return master_.get(); }

  private:
    void read_container();
    void read_caller();
    void write_caller();
    void write_container();

    UniqueFd master_;
    /// Our own hold on the container's end: a payload that closes its terminal and opens it again,
    /// as getty does, must not end the relay.
    UniqueFd container_end_;
    int input_;
    int output_;
    bool input_is_terminal_;
    bool output_is_terminal_;
    bool closed_ = false;
    bool hung_up_ = false;
    std::string to_caller_;
    std::string to_container_;
};

} // namespace sctr::container
