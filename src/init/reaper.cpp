// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/reaper.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "init/control.hpp"
#include "init/process.hpp"
#include "linux/program.hpp"

namespace sctr::init {

namespace {

constexpr int fixed_words = 4; ///< program, reaper_word, control fd, path

/// In its process group of its own, in the foreground of the terminal: Ctrl-C is for the command,
/// and not for the first process, which would pass it on once more.
void enter_own_group() noexcept {
    ::setpgid(0, 0);
    if (::isatty(0) != 0) {
        ::tcsetpgrp(0, ::getpid()); // SIGTTOU, which this means for others, is blocked
    }
}

[[noreturn]] void start_command(char** argv, const sigset_t& before) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    enter_own_group();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::execve(argv[fixed_words - 1], argv + fixed_words, environ);
    fail_to_execute(argv[fixed_words - 1]);
}

/// Reaps what has ended; returns once the command is not among it.
void reap(pid_t command) noexcept {
    for (;;) {
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, WNOHANG);
        if (ended <= 0 && !(ended < 0 && errno == EINTR)) {
            return;
        }
        if (ended == command) {
            ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
}

} // namespace

void become_reaper(int program,
                   const std::string& path,
                   const std::vector<std::string>& args,
                   const std::vector<std::string>& env) noexcept {
    const int control = control_socket();
    std::vector<std::string> words{"sctr-init", reaper_word, std::to_string(control), path};
    words.insert(words.end(), args.begin(), args.end());
    const auto argv = sys::argument_pointers(words);
    const auto envp = sys::argument_pointers(env);
    if (::fcntl(control, F_SETFD, 0) == 0) {
        ::syscall(SYS_execveat, program, "", argv.data(), envp.data(), AT_EMPTY_PATH);
    }
}

void run_reaper(int argc, char** argv) noexcept {
    int control = -1;
    const char* number = argc > fixed_words ? argv[2] : "";
    std::from_chars(number, number + std::strlen(number), control);
    if (control < 3 || ::fcntl(control, F_SETFD, FD_CLOEXEC) < 0) {
        ::_exit(125); // not started by become_reaper
    }
    set_control_socket(control);
    ::prctl(PR_SET_NAME, "sctr-init", 0, 0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // in the pid namespace of others it is not first
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t command = ::fork();
    require(command >= 0, "cannot start the command");
    if (command == 0) {
        start_command(argv, before);
    }
    ::close_range(3, ~0U, 0); // the end of the control socket says that the command runs
    for (;;) {
        const int signal = ::sigwaitinfo(&all, nullptr);
        if (signal == SIGCHLD) {
            reap(command);
        } else if (signal > 0) {
            ::kill(command, signal);
        }
    }
}

} // namespace sctr::init
