// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>

#include "container/health.hpp"

namespace sctr::cli {

/// A container's health for people and scripts: docker's Health object, with this program's
/// spelling of names. Pure.
nlohmann::ordered_json health_json(const container::HealthState& state);

/// The check itself, with times in seconds. Pure.
nlohmann::ordered_json health_check_json(const plan::HealthCheck& check);

} // namespace sctr::cli
