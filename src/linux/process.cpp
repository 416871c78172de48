// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.hpp"
#include "linux/syscalls.hpp"
#include "plan/protocol.hpp"

namespace sctr::sys {

void sanitize_process() {
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0 &&
            ::open("/dev/null", O_RDWR) < 0) { // NOLINT: to be inherited
            ::_exit(static_cast<int>(ExitCode::runtime_error));
        }
    }
    ::signal(SIGCHLD, SIG_DFL);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), killed_(other.killed_) {
}

Child& Child::operator=(Child&& other) noexcept {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    killed_ = other.killed_;
    return *this;
}

Child::~Child() {
    end();
}

void Child::end() noexcept {
    if (pid_ > 0) {
        signal(SIGKILL);
        wait();
    }
}

bool Child::signal(int number) const {
    return pidfd_send_signal(pidfd_.get(), number) == 0;
}

int Child::wait() {
    int status = 0;
    pid_t waited = 0;
    do {
        waited = ::waitpid(pid_, &status, __WALL);
    } while (waited < 0 && errno == EINTR);
    pid_ = -1;
    if (waited < 0) {
        return static_cast<int>(ExitCode::runtime_error); // somebody else has reaped it
    }
    if (WIFSIGNALED(status)) {
        killed_ = WTERMSIG(status) == SIGKILL;
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

namespace {

/// Waits until the id maps are written: whoever is executed without an id in its user namespace
/// loses its capabilities there. The message stays in the socket, for sctr-init, which also
/// explains a map that has no root.
void become_namespace_root(int peer) noexcept {
    ::close(peer);
    char first = 0;
    while (::recv(plan::protocol::control_fd, &first, 1, MSG_PEEK) < 0 && errno == EINTR) {
    }
    // Not the C library's calls, which would change the ids of our parent's threads as well and
    // wait here for a lock that one of these may have held.
    (void)(::syscall(SYS_setresgid, 0, 0, 0) == 0 && ::syscall(SYS_setresuid, 0, 0, 0) == 0);
}

/// Runs in the child: only system calls and plain values, since memory may be in any state the
/// parent had it in.
[[noreturn]] void execute(const SpawnArguments& arguments) noexcept {
    bool ok = true;
    for (int fd = 0; fd < 3; ++fd) {
        // dup2 onto itself would keep close-on-exec.
        ok = ok && (arguments.standard[fd] == fd ? ::fcntl(fd, F_SETFD, 0) == 0
                                                 : ::dup2(arguments.standard[fd], fd) == fd);
    }
    ok = ok && ::dup2(arguments.control, plan::protocol::control_fd) >= 0;
    ok = ok && ::dup2(arguments.plan, plan::protocol::plan_fd) >= 0;
    if ((arguments.clone_flags & CLONE_NEWUSER) != 0) {
        become_namespace_root(arguments.peer);
    }
    for (const int fd : arguments.inherited) {
        ok = ok && ::fcntl(fd, F_SETFD, 0) == 0;
    }
    if (ok) {
        char* const environment[] = {nullptr};
        ::syscall(
            SYS_execveat, arguments.executable, "", arguments.argv, environment, AT_EMPTY_PATH);
    }
    ::_exit(125);
}

} // namespace

Child spawn(const SpawnArguments& arguments) {
    struct clone_args clone{};
    int pidfd = -1;
    clone.flags = arguments.clone_flags | CLONE_PIDFD;
    clone.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    clone.exit_signal = SIGCHLD;
    if (arguments.cgroup >= 0) {
        clone.flags |= CLONE_INTO_CGROUP;
        clone.cgroup = static_cast<std::uint64_t>(arguments.cgroup);
    }
    const pid_t pid = clone3(clone);
    if (pid == 0) {
        execute(arguments);
    }
    if (pid < 0) {
        const int error_number = errno;
        Error error("cannot create the container's first process");
        error.at("clone3").because(error_number);
        if (error_number == ENOSPC || error_number == EUSERS) {
            error.mend("the limit of namespaces is reached: see sysctl user.max_user_namespaces "
                       "and user.max_pid_namespaces");
        } else if (error_number == EPERM) {
            error.mend("run as root, or allow user namespaces");
        }
        throw error;
    }
    return {pid, UniqueFd(pidfd)};
}

Child fork_child(std::uint64_t clone_flags, const std::function<void()>& body) {
    struct clone_args clone{};
    int pidfd = -1;
    clone.flags = clone_flags | CLONE_PIDFD;
    clone.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    clone.exit_signal = SIGCHLD;
    const pid_t parent = ::getpid();
    const pid_t pid = clone3(clone);
    if (pid < 0) {
        throw Error("cannot fork").because(errno);
    }
    if (pid == 0) {
        try {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            if (::getppid() == parent) { // else it has died before that
                body();
            }
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    return {pid, UniqueFd(pidfd)};
}

UniqueFd raise_fd(UniqueFd fd) {
    constexpr int first_free = 10;
    if (!fd.valid() || fd.get() >= first_free) {
        return fd;
    }
    UniqueFd raised(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free));
    if (!raised.valid()) {
        throw Error("cannot duplicate a file descriptor").because(errno);
    }
    return raised;
}

} // namespace sctr::sys
