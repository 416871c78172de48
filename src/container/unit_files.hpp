// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

/// What a stored container has among systemd's units that outlive a boot: its drop-in, and the
/// links by which systemd starts it then. Files alone: systemd is told by whoever changes them.
namespace sctr::container {

/// An empty text is no drop-in. True when systemd must read its units again. Throws Error; what was
/// there stays then.
bool write_drop_in(const std::string& name, const std::string& text);

/// Empty where there is none.
std::string read_drop_in(const std::string& name);

/// The same two-fold answer: true when there was something, and systemd must read its units again.
bool remove_drop_in(const std::string& name);
bool remove_unit_files(const std::string& name);

/// Writes to disk which containers systemd starts at boot.
void sync_boot_links();

} // namespace sctr::container
