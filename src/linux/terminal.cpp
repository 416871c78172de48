// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace sctr::sys {

RawMode::RawMode(int fd) : fd_(fd) {
    if (::tcgetattr(fd, &saved_) != 0) {
        return;
    }
    struct termios raw = saved_;
    ::cfmakeraw(&raw);
    active_ = ::tcsetattr(fd, TCSANOW, &raw) == 0;
}

RawMode::~RawMode() {
    if (active_) {
        // TCSADRAIN: what the container wrote last must not be shown with the old settings.
        ::tcsetattr(fd_, TCSADRAIN, &saved_);
    }
}

TerminalSize terminal_size(int fd) {
    struct winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) {
        return {};
    }
    return {.rows = size.ws_row, .columns = size.ws_col};
}

void set_terminal_size(int master, TerminalSize size) {
    if (size.rows == 0 || size.columns == 0) {
        return;
    }
    struct winsize value{};
    value.ws_row = size.rows;
    value.ws_col = size.columns;
    ::ioctl(master, TIOCSWINSZ, &value);
}

} // namespace sctr::sys
