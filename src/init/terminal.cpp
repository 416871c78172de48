// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "init/control.hpp"
#include "init/paths.hpp"
#include "linux/syscalls.hpp"

namespace sctr::init {

namespace {

UniqueFd open_master(int root) noexcept {
    UniqueFd master(sys::openat2(root,
                                 "/dev/pts/ptmx",
                                 O_RDWR | O_NOCTTY | O_CLOEXEC,
                                 0,
                                 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS));
    require(master.valid(), "cannot open a terminal in the container", "/dev/pts/ptmx");
    struct stat info{};
    require(::fstat(master.get(), &info) == 0, "cannot open a terminal in the container");
    if (!S_ISCHR(info.st_mode) || info.st_rdev != ::makedev(5, 2)) {
        fail({.what = "cannot open a terminal in the container",
              .where = "/dev/pts/ptmx",
              .why = "it is not the pty multiplexer (char 5:2)"},
             0);
    }
    return master;
}

void bind_console(int root, int terminal) noexcept {
    const UniqueFd console = make_file(root, "/dev/console", Symlinks::refuse);
    require(console.valid(), "cannot make /dev/console");
    const UniqueFd mount(
        ::open_tree(terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
    require(mount.valid() && ::move_mount(mount.get(),
                                          "",
                                          console.get(),
                                          "",
                                          MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0,
            "cannot bind the terminal",
            "/dev/console");
}

} // namespace

void attach_terminal(int root, const plan::ProcessStep& process, bool mount_console) noexcept {
    const UniqueFd master = open_master(root);
    int unlocked = 0;
    require(::ioctl(master.get(), TIOCSPTLCK, &unlocked) == 0, "cannot unlock the terminal");
    const UniqueFd terminal(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    require(terminal.valid(), "cannot open the terminal's other end");
    require(::fchown(terminal.get(), process.uid, gid_t(-1)) == 0,
            "cannot give the terminal to the container's user");
    if (process.console_rows != 0 && process.console_columns != 0) {
        struct winsize size{};
        size.ws_row = process.console_rows;
        size.ws_col = process.console_columns;
        require(::ioctl(terminal.get(), TIOCSWINSZ, &size) == 0, "cannot size the terminal");
    }
    if (mount_console) {
        bind_console(root, terminal.get());
    }
    for (const int fd : {0, 1, 2}) {
        require(::dup2(terminal.get(), fd) == fd, "cannot attach the terminal");
    }
    require(::ioctl(0, TIOCSCTTY, 0) == 0, "cannot make the terminal the controlling one");
    send(plan::protocol::Kind::terminal, master.get());
}

} // namespace sctr::init
