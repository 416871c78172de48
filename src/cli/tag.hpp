// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cli/verbs.hpp"

namespace sctr::cli {

/// `sctr untag`, as the verbs of cli/verbs.hpp.
int untag_verb(const Words& words);

} // namespace sctr::cli
