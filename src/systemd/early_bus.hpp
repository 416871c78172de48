// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "systemd/types.hpp"

#include <memory>

struct sd_bus;

namespace sctr::systemd {

/// A connection to the bus that is on its way: the handshake's first message is sent, and its
/// answer, which takes longer than anything sctr computes before a start, is waited for only when
/// a Manager is made of it.
class EarlyBus {
  public:
    /// Throws nothing: an address that does not answer is the Manager's error.
    explicit EarlyBus(Instance instance) noexcept;

    [[nodiscard]] Instance instance() const noexcept { return instance_; }

    [[nodiscard]] sd_bus* get() const noexcept { return bus_.get(); }

    /// It leads to systemd itself and to no bus.
    [[nodiscard]] bool is_direct() const noexcept { return is_direct_; }

    /// Gives the connection away; nothing where it could not be begun.
    [[nodiscard]] sd_bus* release() noexcept { return bus_.release(); }

  private:
    struct Closer {
        void operator()(sd_bus* bus) const noexcept;
    };

    Instance instance_;
    bool is_direct_ = false;
    std::unique_ptr<sd_bus, Closer> bus_;
};

} // namespace sctr::systemd
