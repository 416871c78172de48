// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

/// Programs of others that are run to their end, such as hooks. Without exceptions, since sctr-init
/// uses it too.
namespace sctr::sys {

/// A program and what it is born with: nothing but three standard fds, this environment, default
/// signal handling and a session of its own. No shell is involved.
struct Program {
    std::string path;
    std::vector<std::string> args; ///< empty: the path alone
    std::vector<std::string> env;
    std::string directory; ///< to run in; empty: the caller's own
    int standard[3] = {0, 1, 2};
    /// Called in the child, last before it executes, with the context.
    void (*prepare)(const void* context) noexcept = nullptr;
    const void* context = nullptr;
};

/// `texts` as execve(2) takes them: pointers into `texts`, and a null pointer last.
std::vector<char*> argument_pointers(const std::vector<std::string>& texts);

/// How a program ended.
struct ProgramEnd {
    enum class How : std::uint8_t {
        exited,      ///< value: exit status
        killed,      ///< value: signal
        timed_out,   ///< value: seconds; it was killed
        not_started, ///< value: errno
    };
    How how = How::exited;
    int value = 0;

    [[nodiscard]] bool is_success() const noexcept { return how == How::exited && value == 0; }
};

/// In words: "exit status 3", "killed by signal 9", ...
std::string to_string(const ProgramEnd& end);

/// A program that was started. Going out of scope kills and reaps it with its process group.
class RunningProgram {
  public:
    explicit RunningProgram(const Program& program) noexcept;
    ~RunningProgram();
    RunningProgram(const RunningProgram&) = delete;
    RunningProgram& operator=(const RunningProgram&) = delete;
    RunningProgram(RunningProgram&&) = delete;
    RunningProgram& operator=(RunningProgram&&) = delete;

    /// Waits for its end; what is left of its process group lives on. After `timeout_seconds` since
    /// its start (0: never) the group is killed. Returns false when `wake_fd` (-1: none) became
    /// readable before, and can then be called again.
    bool wait(int timeout_seconds, int wake_fd) noexcept;

    /// Its number, which is its session's, too; -1 once it has ended.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Readable when it has ended; -1 where it was not started.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

    /// After wait() has returned true.
    [[nodiscard]] ProgramEnd end() const noexcept { return end_; }

  private:
    void reap() noexcept;
    void kill_group() noexcept;

    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::int64_t started_ms_ = 0;
    ProgramEnd end_;
};

/// The end of what was written to a file that can be read, from `begin` on, on one line and at most
/// about a screen; empty when it cannot be read.
std::string output_tail(int fd, std::int64_t begin) noexcept;

/// How far a file that can be read has been written.
std::int64_t output_size(int fd) noexcept;

} // namespace sctr::sys
