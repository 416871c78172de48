// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace sctr::systemd {

/// What brings a `systemd --user` that is cut off back to the system's bus. Its units stay.
constexpr const char* mend_of_cut_off = "systemctl --user daemon-reexec";

/// True when the `systemd --user` of this uid runs and is not on the system's bus, over which PID 1
/// moves processes of a login session into its units: it does not come back by itself after a
/// restart of dbus.service (257). Asks PID 1 and the bus. Throws Error.
bool is_cut_off(std::uint32_t uid);

} // namespace sctr::systemd
