// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace sctr::network {

/// What has been received and sent.
struct Traffic {
    std::uint64_t received_bytes = 0;
    std::uint64_t received_packets = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t sent_packets = 0;

    bool operator==(const Traffic&) const = default;
};

/// What has gone through all devices but the loopback device, of the text of /proc/PID/net/dev,
/// proc_pid_net(5).
Traffic parse_traffic(std::string_view text);

/// Of a process's network namespace; nothing when that is this process's own, or the process is
/// gone.
std::optional<Traffic> traffic_of(pid_t pid);

} // namespace sctr::network
