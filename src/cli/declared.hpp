// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/ps_view.hpp"
#include "container/record_store.hpp"
#include "declared/service.hpp"

/// Containers that files NAME.container describe, whose services a generator of systemd makes.
namespace sctr::cli {

/// Those of this caller whose files are right. Templates are none: their instances have names.
std::vector<declared::Service> declared_containers();

std::optional<declared::Service> find_declared(const std::string& name);

/// The service that runs a container, by its record or the file that describes it; empty where
/// there is none, or it is stored.
std::string declared_unit(const container::RecordStore& records, const std::string& name);

/// One that does not run, and how its latest run went.
PsRow declared_row(const declared::Service& service, const container::RecordStore& records);

/// Throws Error that says who has to `what` ("remove") a container that a file describes, if one
/// does.
void refuse_declared(const std::string& what, const std::string& name, const std::string& mend);

} // namespace sctr::cli
