// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "container/health.hpp"
#include "container/record.hpp"
#include "linux/process.hpp"
#include "oci/spec.hpp"

namespace sctr::container {

/// One check that is under way, in a process of its own: entering a container takes steps that
/// wait, and a frozen one would not let a supervisor go on. Out of scope, it is killed.
class HealthRun {
  public:
    /// Throws Error.
    HealthRun(const plan::HealthCheck& check, const Record& record, const oci::Spec& config);

    void add_to(std::vector<struct pollfd>& items) const;
    /// Until the process is killed that should have ended by itself.
    [[nodiscard]] int timeout_ms() const;
    /// The result, once there is one; `items` as poll left them.
    std::optional<HealthResult> handle(const std::vector<struct pollfd>& items);

    /// Waits for the result.
    HealthResult wait();

  private:
    using Clock = std::chrono::steady_clock;

    bool read_output();

    sys::Child child_;
    UniqueFd output_;
    HealthResult result_;
    std::chrono::microseconds timeout_;
    Clock::time_point started_;
};

/// The health of a container that runs, for its supervisor: begins checks when they are due,
/// writes down what they say, and tells of changes. Never blocks.
class HealthWatch {
  public:
    /// Throws Error.
    HealthWatch(const plan::HealthCheck& check,
                Record record,
                oci::Spec config,
                std::string directory);

    void add_to(std::vector<struct pollfd>& items) const;
    [[nodiscard]] int timeout_ms() const;
    /// The state after a check that has ended now; nothing while there is none.
    std::optional<HealthState> handle(const std::vector<struct pollfd>& items);

    /// Begins no more checks; what is under way ends with the container.
    void stop() { next_.reset(); }

    [[nodiscard]] const plan::HealthCheck& check() const { return check_; }

    /// The health before the check that ended last.
    [[nodiscard]] Health before() const { return before_; }

  private:
    using Clock = std::chrono::steady_clock;

    void begin_check();
    void postpone();
    void plan_next(const HealthState& state);

    plan::HealthCheck check_;
    Record record_;
    oci::Spec config_;
    std::string directory_;
    bool is_starting_up_; ///< at the check before
    std::optional<HealthRun> run_;
    std::optional<Clock::time_point> next_;
    Health before_ = Health::starting;
};

} // namespace sctr::container
