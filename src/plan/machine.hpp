// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace sctr::plan {

/// Whether systemd-machined takes a name: at most 64 letters, digits, '-', '_' and '.', no two dots
/// in a row, no '-' beside a dot or at an end, and no dot at an end.
/// Source: systemd, hostname_is_valid(), which machined asks; machine names become host names.
[[nodiscard]] bool is_machine_name(std::string_view name);

} // namespace sctr::plan
