// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "cli/ps_view.hpp"

/// `sctr ps --filter`, as docker and podman have it. Pure.
namespace sctr::cli {

class PsFilter {
  public:
    /// Of KEY=VALUE texts: one of the values of a key must fit, of `label` all. Throws Error that
    /// names --filter.
    explicit PsFilter(const std::vector<std::string>& texts);

    /// PsRow::labels are needed.
    [[nodiscard]] bool wants_labels() const { return !filter_.values("label").empty(); }

    /// Those that have ended, or never run, are asked for, too.
    [[nodiscard]] bool wants_ended() const;

    [[nodiscard]] bool takes(const PsRow& row) const { return filter_.takes(row); }

  private:
    Filter<PsRow> filter_;
};

} // namespace sctr::cli
