// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "systemd/bus.hpp"
#include "systemd/types.hpp"

#include <functional>

namespace sctr::systemd {

/// A container's entry in systemd-machined's list. Nothing here waits: machined may have to be
/// started first. Source: org.freedesktop.machine1(5).
class MachineEntry {
  public:
    /// Sends RegisterMachine; dispatch() of the bus hands the answer over, and `on_failure` the
    /// reason why there is no entry.
    MachineEntry(Bus& bus, const Machine& machine, std::function<void(const Error&)> on_failure);

    /// Takes the entry back, if it is ours. machined would notice the end of the process by itself,
    /// but maybe later than somebody who starts a container of the same name.
    void remove();

  private:
    Bus* bus_;
    std::string name_;
    std::function<void(const Error&)> on_failure_;
    bool is_registered_ = false;
    sdbus::Slot call_;
};

} // namespace sctr::systemd
