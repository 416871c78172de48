// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/protocol.hpp"

namespace sctr::container {

/// What sctr-init said, and the file descriptor that came with it.
struct Packet {
    plan::protocol::Message message;
    UniqueFd fd;
};

/// The host side's end of a socket to sctr-init.
class Control {
  public:
    Control() = default;

    explicit Control(UniqueFd socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int fd() const { return socket_.get(); }

    /// A dead sctr-init is noticed, and explained, by whoever receives next. `files` go with the
    /// message. Throws Error where it cannot be sent to a living one.
    void send(plan::protocol::Kind kind, const std::vector<UniqueFd>& files = {}) const;

    /// The next packet, without blocking; nothing when none has arrived. Throws the Error that
    /// sctr-init reports.
    std::optional<Packet> receive();

    /// sctr-init has closed its end: it has become the command, or it is dead.
    [[nodiscard]] bool is_closed() const { return closed_; }

  private:
    UniqueFd socket_;
    bool closed_ = false;
};

} // namespace sctr::container
