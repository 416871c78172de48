// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/state.hpp"

namespace sctr::network {

/// Takes back what netavark has made of an attachment whose interfaces are gone, and whatever it
/// has not come to when it was killed. netavark takes no rules back of a container whose interfaces
/// it cannot remove, and none of a network whose bridge is gone: so it gets a network namespace
/// with interfaces of the same names, and bridges. Its names are forgotten first, and without it:
/// it fails where aardvark-dns has not begun. The caller has netavark's lock. Throws Error.
void take_back(const Attachment& attachment);

} // namespace sctr::network
