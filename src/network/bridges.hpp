// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/scope_exit.hpp"
#include "network/state.hpp"

/// The devices of networks whose driver is "bridge", which netavark makes and removes. Callers have
/// netavark's lock.
namespace sctr::network {

/// Waits until the attachment's bridges have no more ports than there are others on them, a few
/// seconds at most: with the last process of a killed container its namespace goes, but only by and
/// by.
void await_ports_of_others(const Attachment& attachment);

/// Makes those of the attachment's bridges that are not there. Throws Error.
void add_missing_bridges(const Attachment& attachment);

/// Gives those of the attachment's bridges a port that have none although others are written down
/// as on them: of a bridge without ports netavark removes all rules, and fails where there are
/// more than the container's own. `space` is the network namespace of the other end. Throws Error.
void hold_bridges_of_others(const Attachment& attachment, int space, UndoList& undo);

/// Removes bridges of the attachment's networks that nobody is left on. Throws Error.
void remove_idle_bridges(const Attachment& attachment);

/// Removes those that have no port, and not all of the host's addresses: whoever made them was
/// killed, and netavark takes a bridge that is there as it is. Throws Error.
void remove_half_made_bridges(const Attachment& attachment);

} // namespace sctr::network
