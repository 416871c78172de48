// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "systemd/types.hpp"

namespace sctr::systemd {

/// What systemd says of a service; the words are systemd's own.
struct ServiceStatus {
    std::string load_state;
    std::string active_state;
    std::string sub_state; ///< "running", "auto-restart", "dead", ...
    std::string result;
    std::string status_text;      ///< as notify_status() of its main process
    std::string unit_file_state;  ///< "enabled", "disabled", "static", ...
    std::string restart;          ///< "no", "on-failure", "always", ...
    std::int32_t exit_status = 0; ///< of the main process that ended last
    std::uint32_t restarts = 0;   ///< by Restart=, since it was started
};

/// The persistent services of a manager: what `systemctl` does with them, over one connection.
/// Waits for what it asks as long as systemd itself does, which ends every job by the unit's own
/// timeouts. Throws Error as Manager does.
class Services {
  public:
    explicit Services(Instance instance, const Deadlines& deadlines = {});
    ~Services();
    Services(Services&&) noexcept;
    Services& operator=(Services&&) noexcept;

    /// Starts a unit and waits for its job. How that ended: "done", "failed", "dependency", ...
    std::string start(const std::string& unit);
    std::string restart(const std::string& unit);
    /// The same without waiting, for the unit that the caller is a part of.
    void request_restart(const std::string& unit);
    /// As start(); "done" when it is not loaded.
    std::string stop(const std::string& unit);

    /// As stop(), which is no longer waited for after `patience`; false then.
    bool stop_within(const std::string& unit, std::chrono::microseconds patience);

    /// Loads a unit and keeps it until the end of this connection, so that its status can be read
    /// after its end. Throws Error when there is no such unit.
    void keep(const std::string& unit);

    [[nodiscard]] ServiceStatus status(const std::string& unit);

    /// As `systemctl daemon-reload`.
    void reload();
    void enable(const std::string& unit);
    void disable(const std::string& unit);
    void reset_failed(const std::string& unit);

  private:
    class Connection;
    std::unique_ptr<Connection> connection_;
};

} // namespace sctr::systemd
