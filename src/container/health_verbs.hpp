// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "container/health.hpp"
#include "container/record_store.hpp"
#include "oci/spec.hpp"

/// What people ask of the health of a container that runs.
namespace sctr::container {

/// Makes one check now of a container that load_running() gave, and adds it to what is known.
/// Throws Error when it has no check.
HealthState check_health(const RecordStore& store, const Record& record, const oci::Spec& config);

/// Waits until a container has this health. Throws Error when it ends before, or has no check.
void wait_for_health(const RecordStore& store, const std::string& id, Health wanted);

} // namespace sctr::container
