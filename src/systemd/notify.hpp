// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <string_view>

/// What a service tells its manager. Without $NOTIFY_SOCKET, as when a person calls, nothing is
/// said. Source: sd_notify(3).
namespace sctr::systemd {

/// Assignments, one a line; nothing is sent where there are none.
void notify(const std::string& text);

/// The container runs.
void notify_ready();

/// The container needs so much more time until it is ready.
void notify_starting(std::chrono::microseconds patience);

/// The container is asked to end, and gets `patience` until it is killed.
void notify_stopping(std::chrono::microseconds patience);

/// Shown by `systemctl status`, and kept after the end of the service. Line breaks become blanks.
void notify_status(std::string_view text);

} // namespace sctr::systemd
