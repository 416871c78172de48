// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// Mends what a careless caller may have left us: closed standard fds, whose numbers the next
/// opened files would take and containers inherit, and an ignored SIGCHLD, which loses exit
/// statuses.
void sanitize_process();

/// A child of ours. Killed and reaped when it goes out of scope unreaped.
class Child {
  public:
    Child() = default;

    Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }

    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// Sends a signal; false when the process has ended.
    bool signal(int number) const;

    /// Waits for the end and reaps. Returns the status as a shell sees it: the exit code, or
    /// 128 + n for signal n.
    int wait();

    /// After wait(): it was ended by SIGKILL, as the kernel's OOM killer does.
    [[nodiscard]] bool was_killed() const { return killed_; }

    /// Lets it live on without us.
    void release() { pid_ = -1; }

  private:
    void end() noexcept;

    pid_t pid_ = -1;
    UniqueFd pidfd_;
    bool killed_ = false;
};

/// What a child is born with, between clone3 and exec.
struct SpawnArguments {
    std::uint64_t clone_flags = 0;
    int cgroup = -1;     ///< with CLONE_INTO_CGROUP in clone_flags
    int executable = -1; ///< memfd to execute
    const char* const* argv = nullptr;
    int standard[3] = {0, 1, 2}; ///< become 0, 1 and 2
    int control = -1;            ///< becomes protocol::control_fd
    int peer = -1;               ///< our end of that: closed, so that our death is noticed
    int plan = -1;               ///< becomes protocol::plan_fd
    std::vector<int> inherited;  ///< keep their numbers and lose close-on-exec
};

/// Clones and executes; the child does nothing else. Throws Error when the kernel refuses.
/// Every fd of `arguments` must be 10 or above or one of 0, 1, 2.
Child spawn(const SpawnArguments& arguments);

/// Runs `body` in a child, with clone3's `clone_flags`, that ends with it, or with us. Throws Error
/// when the kernel refuses; what `body` throws ends the child with status 1.
Child fork_child(std::uint64_t clone_flags, const std::function<void()>& body);

/// The same file under a number of 10 or above, so that it cannot collide with the fixed ones. None
/// stays none, and errno as it was. Throws Error.
UniqueFd raise_fd(UniqueFd fd);

} // namespace sctr::sys
