// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/protocol.hpp"

/// sctr-init's side of the control socket. Every step of sctr-init either succeeds or ends the
/// process here: there is nobody above it who could handle an error better than the host side.
namespace sctr::init {

/// What failed and where; sent to the host side, which words the error for the user.
struct Failure {
    std::string_view what;
    std::string_view where = {};
    std::string_view why = {};
    int exit_code = 125;
};

/// Reports `failure` with the current errno (0: leave it out) and ends the process.
[[noreturn]] void fail(const Failure& failure, int error_number) noexcept;

/// Ends the process with the current errno when `ok` is false.
void require(bool ok, std::string_view what, std::string_view where = {}) noexcept;

/// Makes an allocation that fails end the process with a message, as any other failed step does.
void report_lack_of_memory() noexcept;

/// What the host side sends.
struct Packet {
    plan::protocol::Message message;
    std::vector<UniqueFd> files;
};

/// Waits for the next packet on a socket of the host side's; nothing when that one is gone.
std::optional<Packet> receive_packet(int socket) noexcept;

/// Waits for a message of this kind; ends the process quietly when the host side is gone.
void await(plan::protocol::Kind kind) noexcept;

/// Waits for `go`; returns the files that came with it.
std::vector<UniqueFd> await_go() noexcept;

/// Says `created`, then waits on a listening socket for a host side that says `start`, which is
/// told of everything from then on. Nobody may come for days.
void await_start(int listener) noexcept;

/// The control socket, whose end of file means that the host side is gone.
int control_socket() noexcept;

/// The control socket has another number now.
void set_control_socket(int fd) noexcept;

/// Sends a message; `fd` of 0 or more goes with it.
void send(plan::protocol::Kind kind, int fd = -1) noexcept;

/// Hands a filter's listener to the host side. Made before the filter is loaded: from then on every
/// system call may wait for whoever has the listener, even that of an allocation.
class SeccompHandover {
  public:
    SeccompHandover() noexcept;

    /// Returns once somebody answers. Until it is sent only sendmsg(2) is called, which no filter
    /// may notify (oci/validate_seccomp.cpp); read(2) and close(2) are answered already.
    void hand_over(int listener) noexcept;

  private:
    std::string bytes_;
};

} // namespace sctr::init
