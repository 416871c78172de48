// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::sys {

SignalQueue::SignalQueue() {
    sigset_t taken;
    ::sigfillset(&taken);
    for (const int kept : {SIGKILL,
                           SIGSTOP,
                           SIGTSTP,
                           SIGTTIN,
                           SIGTTOU,
                           SIGCHLD,
                           SIGSEGV,
                           SIGBUS,
                           SIGFPE,
                           SIGILL,
                           SIGABRT,
                           SIGTRAP,
                           SIGSYS}) {
        ::sigdelset(&taken, kept);
    }
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action{};
        if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
            ::sigdelset(&taken, number); // nohup, or a shell's job in the background
        }
    }
    ::sigprocmask(SIG_BLOCK, &taken, &saved_);
    fd_ = UniqueFd(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_.valid()) {
        throw Error("cannot receive signals").at("signalfd").because(errno);
    }
}

SignalQueue::~SignalQueue() {
    ::sigprocmask(SIG_SETMASK, &saved_, nullptr);
}

std::optional<int> SignalQueue::take() const {
    struct signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) {
        return std::nullopt;
    }
    // signalfd(2): the codes of what processes send are not above zero.
    if (info.ssi_signo == SIGURG && info.ssi_code > 0) {
        return directory_changed;
    }
    return static_cast<int>(info.ssi_signo);
}

} // namespace sctr::sys
