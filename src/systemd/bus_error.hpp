// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "systemd/types.hpp"

#include <sdbus-c++/Error.h>

#include <string>
#include <string_view>

namespace sctr::systemd {

/// systemd knows no unit of that name, or none with processes: what was asked is so already.
[[nodiscard]] bool is_already_gone(const sdbus::Error& error);

/// The bus or systemd is at a limit that passes: worth a second try.
[[nodiscard]] bool is_overload(const sdbus::Error& error);

/// systemd does not know `property`, or lets nobody set it on a unit of this type.
[[nodiscard]] bool refuses_property(const sdbus::Error& error, std::string_view property);

/// A refused or failed call as our error. `what` says what failed, `where` is the unit or the bus.
[[nodiscard]] Error call_error(const sdbus::Error& error,
                               std::string what,
                               std::string_view where,
                               const Deadlines& deadlines);

/// A job of `unit` that ended with `result`, anything but "done".
/// Source: org.freedesktop.systemd1(5), JobRemoved().
[[nodiscard]] Error job_error(std::string_view result, std::string what, const std::string& unit);

} // namespace sctr::systemd
