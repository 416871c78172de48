// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "systemd/bus.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sctr::systemd {

/// Remembers every job of one unit that ends, because a job may end before the call that made it
/// is answered. Make it before that call.
class JobWatch {
  public:
    JobWatch(Bus& bus, const std::string& unit);

    /// How `job` (an object path) ended ("done", ...), if it has. Only what came from `systemd`,
    /// the sender of the call's reply, counts: everyone on the bus may send signals.
    [[nodiscard]] std::optional<std::string> outcome(const std::string& job,
                                                     const std::string& systemd) const;

  private:
    struct EndedJob {
        std::string job;
        std::string sender;
        std::string result;
    };

    std::vector<EndedJob> ended_;
    sdbus::Slot slot_;
};

/// The sender of a message; empty where the connection has no senders.
[[nodiscard]] std::string sender_of(const sdbus::Message& message);

} // namespace sctr::systemd
