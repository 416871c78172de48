// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <termios.h>

#include <cstdint>
#include <utility>

namespace sctr::sys {

/// Puts a terminal into raw mode, and back when it goes out of scope.
class RawMode {
  public:
    /// Does nothing when `fd` is not a terminal.
    explicit RawMode(int fd);
    ~RawMode();
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;
    RawMode(RawMode&&) = delete;
    RawMode& operator=(RawMode&&) = delete;

  private:
    int fd_;
    bool active_ = false;
    struct termios saved_{};
};

struct TerminalSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};

/// The size of a terminal; zeros when `fd` is not one.
TerminalSize terminal_size(int fd);

/// Sets the size of a pty through its master; the kernel tells its foreground processes (SIGWINCH).
void set_terminal_size(int master, TerminalSize size);

} // namespace sctr::sys
