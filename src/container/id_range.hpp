// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

namespace sctr::container {

/// Ids for the user namespace of a container, which no other has: the lowest of 65536, of those
/// that systemd keeps for containers and systemd-nspawn takes from as well. The same for the same
/// name while they are free, and this process's until it ends. Throws Error when there are none.
///
/// Source: systemd's UIDS-GIDS.md; the lock files are those of `systemd-nspawn -U`.
std::uint32_t reserve_id_range(const std::string& name);

} // namespace sctr::container
