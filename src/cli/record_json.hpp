// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>

#include "container/record.hpp"

namespace sctr::cli {

/// A record and its present status as `ps --json` and `inspect` show them.
nlohmann::ordered_json record_json(const container::Record& record, container::Status status);

/// RFC 3339 in UTC, to the microsecond.
std::string timestamp(std::int64_t usec);

/// JSON text for people. What is not UTF-8 in a name or command is replaced.
std::string json_text(const nlohmann::ordered_json& json);

/// The same in one line.
std::string json_line(const nlohmann::ordered_json& json);

} // namespace sctr::cli
