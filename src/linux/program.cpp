// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/program.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>

#include "linux/syscalls.hpp"

namespace sctr::sys {

namespace {

std::int64_t now_ms() noexcept {
    struct timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void reset_signals() noexcept {
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Standard fds may be given in any order and number, so that one could overwrite the next.
bool take_standard(const int (&given)[3]) noexcept {
    int copies[3];
    for (int i = 0; i < 3; ++i) {
        copies[i] = ::fcntl(given[i], F_DUPFD_CLOEXEC, 3);
        if (copies[i] < 0) {
            return false;
        }
    }
    return ::dup2(copies[0], 0) == 0 && ::dup2(copies[1], 1) == 1 && ::dup2(copies[2], 2) == 2;
}

/// Runs in the child. Every fd above 2 is closed by the exec, so that the caller need not know what
/// it inherited itself.
[[noreturn]] void execute(const Program& program,
                          char* const* args,
                          char* const* env,
                          int report,
                          pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (const pid_t now = ::getppid(); now != parent && now != 0) { // 0: in another PID namespace
        ::_exit(127);                                               // it has died before that
    }
    reset_signals();
    bool ok = ::setsid() >= 0 && take_standard(program.standard);
    ok = ok && ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
    ok = ok && (program.directory.empty() || ::chdir(program.directory.c_str()) == 0);
    if (ok) {
        if (program.prepare != nullptr) {
            program.prepare(program.context);
        }
        ::execve(program.path.c_str(), args, env);
    }
    const int error_number = errno;
    (void)!::write(report, &error_number, sizeof error_number);
    ::_exit(127);
}

} // namespace

std::vector<char*> argument_pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        result.push_back(const_cast<char*>(text.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

std::string to_string(const ProgramEnd& end) {
    switch (end.how) {
    case ProgramEnd::How::exited:
        return "exit status " + std::to_string(end.value);
    case ProgramEnd::How::killed:
        return "killed by signal " + std::to_string(end.value);
    case ProgramEnd::How::timed_out:
        return "it did not end within " + std::to_string(end.value) + " s and was killed";
    case ProgramEnd::How::not_started:
        return std::string("it cannot be executed: ") + std::strerror(end.value);
    }
    return {};
}

RunningProgram::RunningProgram(const Program& program) noexcept : started_ms_(now_ms()) {
    const std::vector<char*> args =
        program.args.empty() ? argument_pointers({program.path}) : argument_pointers(program.args);
    const std::vector<char*> env = argument_pointers(program.env);
    int ends[2];
    int pidfd = -1;
    struct clone_args arguments{};
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        end_ = {ProgramEnd::How::not_started, errno};
        return;
    }
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = clone3(arguments);
    if (pid == 0) {
        execute(program, args.data(), env.data(), writer.get(), parent);
    }
    if (pid < 0) {
        end_ = {ProgramEnd::How::not_started, errno};
        return;
    }
    pid_ = pid;
    pidfd_ = UniqueFd(pidfd);
    writer.reset();
    int error_number = 0;
    ssize_t size = 0;
    do {
        size = ::read(reader.get(), &error_number, sizeof error_number);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        reap();
        end_ = {ProgramEnd::How::not_started, error_number};
    }
}

RunningProgram::~RunningProgram() {
    if (pid_ > 0) {
        kill_group();
        reap();
    }
}

bool RunningProgram::wait(int timeout_seconds, int wake_fd) noexcept {
    const std::int64_t deadline = started_ms_ + std::int64_t{timeout_seconds} * 1000;
    while (pid_ > 0) {
        const std::int64_t rest = std::clamp<std::int64_t>(deadline - now_ms(), 0, INT_MAX);
        struct pollfd items[] = {{pidfd_.get(), POLLIN, 0}, {wake_fd, POLLIN, 0}};
        const int ready = ::poll(items, 2, timeout_seconds == 0 ? -1 : static_cast<int>(rest));
        if (items[0].revents != 0 && ready > 0) {
            reap();
        } else if (ready > 0) {
            return false;
        } else if (ready == 0 && now_ms() >= deadline) {
            kill_group();
            reap();
            end_ = {ProgramEnd::How::timed_out, timeout_seconds};
        }
    }
    return true;
}

void RunningProgram::kill_group() noexcept {
    // Not reaped yet, so that the number is still its own.
    ::kill(-pid_, SIGKILL);
    pidfd_send_signal(pidfd_.get(), SIGKILL);
}

void RunningProgram::reap() noexcept {
    int status = 0;
    pid_t waited = 0;
    do {
        waited = ::waitpid(pid_, &status, 0);
    } while (waited < 0 && errno == EINTR);
    pid_ = -1;
    if (waited > 0 && WIFSIGNALED(status)) {
        end_ = {ProgramEnd::How::killed, WTERMSIG(status)};
    } else {
        end_ = {ProgramEnd::How::exited, waited > 0 ? WEXITSTATUS(status) : 0};
    }
}

std::int64_t output_size(int fd) noexcept {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
}

std::string output_tail(int fd, std::int64_t begin) noexcept {
    constexpr std::int64_t most = 600;
    const std::int64_t size = output_size(fd);
    char text[most];
    const ssize_t got =
        ::pread(fd, text, sizeof text, std::max({begin, size - most, std::int64_t{0}}));
    std::string line;
    for (ssize_t i = 0; i < got; ++i) {
        const bool blank = static_cast<unsigned char>(text[i]) <= ' ';
        if (!blank) {
            line += text[i];
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    while (!line.empty() && line.back() == ' ') {
        line.pop_back();
    }
    return line;
}

} // namespace sctr::sys
