// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "container/engine.hpp"
#include "oci/state.hpp"

namespace sctr::container {

/// What comes after a container is gone, whether it ran or its start failed: what was made for it
/// outside its scope goes, and the poststop hooks run.
void clean_up(const oci::Spec& spec, oci::State state, const Warn& warn);

/// The same for one that is remembered.
void clean_up(const Record& record, const oci::Spec& config, const Warn& warn);

} // namespace sctr::container
