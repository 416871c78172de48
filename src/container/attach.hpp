// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>

#include <list>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "linux/terminal.hpp"

namespace sctr::container {

/// What goes over the socket between the supervisor of a container with a terminal and those that
/// are attached to it: packets of this byte and what belongs to it.
enum class AttachKind : char {
    output = 'o', ///< from the container: bytes
    input = 'i',  ///< to the container: bytes
    size = 's',   ///< to the container: rows, columns; two numbers of 16 bits, native order
    end = 'e',    ///< from the supervisor, last: the exit status as decimal text
};

constexpr const char* attach_socket = "attach";

class OutputLog;

/// The terminal of a container that nobody need look at: what it prints goes to the log and to
/// everyone attached, and what they type goes to it. Whoever does not read in time is let go, so
/// that the container never waits for anybody but the log.
class AttachPoint {
  public:
    /// Listens in the container's `directory`. `log` is borrowed; nothing: there is none. Throws
    /// Error.
    AttachPoint(UniqueFd master, const std::string& directory, OutputLog* log);

    void add_to(std::vector<struct pollfd>& items) const;
    /// Moves what can be moved now; `items` as poll left them.
    void handle(const std::vector<struct pollfd>& items);

    /// After the container's end: takes what is still in the terminal.
    void drain();
    /// Delivers the rest to everyone attached, and tells the status.
    void finish(int exit_status);

  private:
    struct Client {
        UniqueFd socket;
        std::list<std::string> waiting{}; ///< packets
        std::size_t waiting_bytes = 0;
    };

    void read_container();
    void accept_client();
    bool read_client(Client& client);
    static bool write_client(Client& client);
    void give(AttachKind kind, const std::string& bytes);
    void write_container();

    UniqueFd master_;
    /// Our own hold on the container's end: a payload that closes its terminal and opens it again,
    /// as getty does, must not end the relay.
    UniqueFd container_end_;
    UniqueFd listener_;
    OutputLog* log_;
    bool closed_ = false;
    std::string to_container_;
    std::list<Client> clients_;
};

/// How an attached caller left.
struct AttachOutcome {
    bool detached = false; ///< by the keys, or its own input's end; the container goes on
    int exit_status = 0;   ///< of the container that ended
};

struct AttachOptions {
    bool input = true;
    std::string detach_keys; ///< as typed, "\x10\x11"; empty: none
};

/// Connects this process's terminal, or its stdin and stdout, with the terminal of the container
/// whose record is in `directory`. Throws Error.
AttachOutcome attach(const std::string& directory, const AttachOptions& options);

} // namespace sctr::container
