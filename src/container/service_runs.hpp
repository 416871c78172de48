// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "container/definition.hpp"

namespace sctr::container {

/// How the latest runs of containers went that others' units describe (`sctr run --service`), of
/// which sctr stores nothing else. Until the next boot, as systemd itself remembers such things.
class ServiceRuns {
  public:
    /// `root` is that of the records.
    explicit ServiceRuns(const std::string& root) : root_(root + "/.services") {}

    /// Throws Error.
    void save(const std::string& name, const LastRun& run) const;
    [[nodiscard]] std::optional<LastRun> load(const std::string& name) const;

  private:
    [[nodiscard]] std::string path(const std::string& name) const;

    std::string root_;
};

/// A run of which nobody has written down the end, as systemd's $EXIT_CODE and $EXIT_STATUS tell
/// it.
LastRun ended_by(LastRun run, const std::string& exit_code, const std::string& exit_status);

/// After the main process of such a service is gone, however that ended: what is left of the
/// container ends, and what that process could not write down is.
void service_ended(const std::string& name,
                   const std::string& exit_code,
                   const std::string& exit_status);

} // namespace sctr::container
