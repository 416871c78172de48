// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "container/definition.hpp"
#include "container/engine.hpp"
#include "plan/service.hpp"
#include "systemd/services.hpp"

namespace sctr::container {

/// The containers that are services of systemd: what is stored of them, and their units. systemd
/// starts, restarts, stops and orders them; `systemctl` on sctr@NAME.service does the same.
class Stored {
  public:
    Stored(DefinitionStore definitions, RecordStore records, systemd::Instance instance)
        : definitions_(std::move(definitions)), records_(std::move(records)), instance_(instance) {}

    /// Those of this caller.
    static Stored own();

    [[nodiscard]] const DefinitionStore& definitions() const { return definitions_; }

    [[nodiscard]] bool has(const std::string& name) const { return definitions_.has(name); }

    /// Stores a container and writes its unit's drop-in, if it needs one. Throws Error; nothing is
    /// stored then.
    void add(const Definition& definition, const plan::ServiceOptions& options);

    /// Removes what a power cut has left half made or half removed.
    void recover();

    /// Returns when the command runs. Throws the Error that kept it from that, with its exit code.
    void start(const std::string& name);
    void restart(const std::string& name);
    /// The same for a container that another unit runs (`sctr run --service`).
    void start(const std::string& name, const std::string& unit);
    void restart(const std::string& name, const std::string& unit);
    void stop(const std::string& name,
              const std::string& unit,
              std::optional<std::chrono::microseconds> timeout);
    /// Returns when it has ended. `timeout` counts until SIGKILL; empty: the container's own.
    void stop(const std::string& name, std::optional<std::chrono::microseconds> timeout);

    /// Whether systemd starts it at boot.
    void enable(const std::string& name);
    void disable(const std::string& name);

    /// Forgets a container and its unit's changes; with `force` one that runs is killed first.
    void remove(const std::string& name, bool force);
    void rename(const std::string& name, const std::string& new_name);

    /// Replaces the definition and the drop-in of a container; both take effect at its next start.
    void replace(const Definition& definition, const plan::ServiceOptions& options);

    /// After the main process of its service is gone, however that ended: writes down what that
    /// could not, and forgets what is to be forgotten. `exit_code` and `exit_status` are systemd's
    /// $EXIT_CODE and $EXIT_STATUS.
    void
    ended(const std::string& name, const std::string& exit_code, const std::string& exit_status);

    [[nodiscard]] systemd::ServiceStatus status(const std::string& name);

  private:
    systemd::Services& services();
    void require(const std::string& name) const;
    [[nodiscard]] bool is_running(const std::string& name) const;
    void set_stop_timeout(const std::string& name, std::chrono::microseconds timeout);
    systemd::ServiceStatus status_at_rest(const std::string& name);

    DefinitionStore definitions_;
    RecordStore records_;
    systemd::Instance instance_;
    std::optional<systemd::Services> services_; ///< connected when first needed
};

/// Waits until a container has ended; returns its exit status. Throws Error when it has never run,
/// or when nobody wrote its status down.
int wait_for_exit(const DefinitionStore& definitions,
                  const RecordStore& records,
                  const std::string& name);

} // namespace sctr::container
