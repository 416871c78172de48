// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/console.hpp"

#include "linux/unix_socket.hpp"

namespace sctr::container {

void check_console(const std::optional<oci::Process>& process, const std::string& console_socket) {
    const bool terminal = process && process->terminal;
    if (terminal && console_socket.empty()) {
        throw Error("cannot make a terminal")
            .at("/process/terminal")
            .because("nobody would hold its other end")
            .mend("give --console-socket");
    }
    if (!terminal && !console_socket.empty()) {
        throw Error("a console socket without a terminal")
            .at("--console-socket")
            .mend("set /process/terminal, or leave the flag out");
    }
}

void hand_over(InitProcess& process, const HandOver& sockets) {
    if (!sockets.console_socket.empty()) {
        sys::send_fd_to(sockets.console_socket,
                        process.terminal().get(),
                        "/dev/ptmx",
                        "cannot hand the terminal over");
    }
    if (!sockets.pidfd_socket.empty()) {
        sys::send_fd_to(
            sockets.pidfd_socket, process.child().pidfd(), "pidfd", "cannot hand the pidfd over");
    }
}

} // namespace sctr::container
