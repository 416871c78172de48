// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "systemd/journal_reader.hpp"

namespace sctr::cli {

enum class Woken { by_entries, by_other, by_time, output_closed };

/// Waits until the journal has something new, `other` (an fd; -1: none) is readable, the time has
/// come (microseconds, CLOCK_REALTIME), or nobody reads our output any more.
Woken wait_for_entries(const systemd::JournalReader& journal,
                       int other,
                       std::optional<std::int64_t> until_usec);

} // namespace sctr::cli
