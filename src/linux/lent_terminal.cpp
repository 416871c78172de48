// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/lent_terminal.hpp"

#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "linux/syscalls.hpp"

namespace sctr::sys {

namespace {

constexpr std::array ends = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// All that a signal handler may look at. Written while no handler is there, but for `child`.
struct Lent {
    int terminal = -1;
    struct termios modes{};
    std::array<struct sigaction, ends.size()> before{};
    std::atomic<int> child = -1;
};

Lent lent; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a handler has no argument
static_assert(std::atomic<int>::is_always_lock_free);

/// Ends the child, whose threads might else change the modes once more. Safe in a signal handler.
void end_child() {
    const int child = lent.child.exchange(-1);
    if (child < 0) {
        return;
    }
    pidfd_send_signal(child, SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(child), &info, WEXITED) < 0 && errno == EINTR) {
    }
}

/// Safe in a signal handler. A job in the background has no say in the modes.
void put_back() {
    if (::tcgetpgrp(lent.terminal) == ::getpgrp()) {
        ::tcsetattr(lent.terminal, TCSANOW, &lent.modes);
    }
}

void on_end(int signal) {
    end_child();
    put_back();
    const auto* which = std::ranges::find(ends, signal);
    ::sigaction(signal, &lent.before[static_cast<std::size_t>(which - ends.begin())], nullptr);
    // Blocked until this returns, and then as if there had been no handler.
    ::raise(signal);
}

} // namespace

LentTerminal::LentTerminal(UniqueFd terminal) noexcept : terminal_(std::move(terminal)) {
    if (::tcgetattr(terminal_.get(), &lent.modes) != 0) {
        terminal_.reset();
        return;
    }
    lent.terminal = terminal_.get();
    struct sigaction action{};
    action.sa_handler = on_end;
    ::sigfillset(&action.sa_mask);
    for (std::size_t i = 0; i < ends.size(); ++i) {
        ::sigaction(ends[i], nullptr, &lent.before[i]);
        if (lent.before[i].sa_handler != SIG_IGN) {
            ::sigaction(ends[i], &action, nullptr);
        }
    }
}

void LentTerminal::lend_to(UniqueFd pidfd) noexcept {
    child_ = std::move(pidfd);
    lent.child = child_.get();
}

LentTerminal::~LentTerminal() {
    end_child();
    if (!terminal_.valid()) {
        return;
    }
    put_back();
    for (std::size_t i = 0; i < ends.size(); ++i) {
        ::sigaction(ends[i], &lent.before[i], nullptr);
    }
}

} // namespace sctr::sys
