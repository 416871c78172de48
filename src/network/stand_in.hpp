// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "linux/process.hpp"
#include "network/state.hpp"

namespace sctr::network {

/// A network namespace in the place of one that is gone: netavark takes no rules back of a
/// container whose interfaces it cannot remove.
class StandIn {
  public:
    /// One with interfaces of the names that the attachment has. Throws Error.
    explicit StandIn(const Attachment& attachment);

    [[nodiscard]] std::string path() const;

  private:
    sys::Child child_;
};

/// Removes bridges of the attachment's networks that nobody is left on. With the last process of a
/// killed container its namespace goes, but only by and by, and netavark keeps a bridge that has
/// somebody on it: this waits until only those are left that live.
void remove_idle_bridges(const Attachment& attachment);

} // namespace sctr::network
