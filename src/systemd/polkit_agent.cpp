// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/polkit_agent.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"

namespace sctr::systemd {

namespace {

constexpr const char* program = "/usr/bin/pkttyagent";

/// Where a person can be asked, and answers.
UniqueFd open_terminal() {
    return ::isatty(STDIN_FILENO) == 1 ? UniqueFd(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC))
                                       : UniqueFd();
}

/// In a session the desktop's agent comes first, as for systemctl. Without one polkit never gets
/// as far as an agent that calls itself a fallback (126): so systemctl does not ask there.
bool in_session() {
    char* session = nullptr;
    const bool found = ::sd_pid_get_session(0, &session) >= 0;
    ::free(session);
    return found;
}

/// Polls one fd, until the deadline.
void wait_for(int fd, int timeout_ms) {
    struct pollfd item{fd, POLLIN, 0};
    while (::poll(&item, 1, timeout_ms) < 0 && errno == EINTR) {
    }
}

} // namespace

PolkitAgent::PolkitAgent() noexcept {
    std::array<int, 2> ends{};
    UniqueFd terminal = open_terminal();
    if (!terminal.valid() || ::access(program, X_OK) != 0 || ::pipe2(ends.data(), O_CLOEXEC) < 0) {
        return;
    }
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    // Which process it speaks for is said with its start time: pids are used again.
    const pid_t self = ::getpid();
    const std::string subject =
        std::to_string(self) + "," + std::to_string(sys::process_start_time(self).value_or(0));
    const std::string notify = std::to_string(writer.get());
    const std::array<const char*, 7> words = {program,
                                              "--process",
                                              subject.c_str(),
                                              "--notify-fd",
                                              notify.c_str(),
                                              in_session() ? "--fallback" : nullptr,
                                              nullptr};
    terminal_.emplace(std::move(terminal));
    int pidfd = -1;
    struct clone_args arguments{};
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    const pid_t pid = sys::clone3(arguments);
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        if (::getppid() == self && ::fcntl(writer.get(), F_SETFD, 0) == 0) {
            ::execv(program, const_cast<char* const*>(words.data()));
        }
        ::_exit(127);
    }
    if (pid < 0) {
        terminal_.reset();
        return;
    }
    terminal_->lend_to(UniqueFd(pidfd));
    writer.reset();
    // It closes the pipe once polkit knows it, or by ending.
    constexpr int patience_ms = 10'000;
    wait_for(reader.get(), patience_ms);
}

PolkitAgent::~PolkitAgent() {
    if (!terminal_) {
        return;
    }
    // What it writes last is for the person.
    sys::pidfd_send_signal(terminal_->child(), SIGTERM);
    sys::pidfd_send_signal(terminal_->child(), SIGCONT);
    constexpr int patience_ms = 2'000;
    wait_for(terminal_->child(), patience_ms);
}

} // namespace sctr::systemd
