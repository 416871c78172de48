// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/early_bus.hpp"

#include <systemd/sd-bus.h>

#include "systemd/bus.hpp"

namespace sctr::systemd {

EarlyBus::EarlyBus(Instance instance) noexcept : instance_(instance) {
    sd_bus* bus = nullptr;
    if (::sd_bus_new(&bus) < 0) {
        return;
    }
    bus_.reset(bus);
    const BusAddress address = bus_address(instance);
    is_direct_ = address.is_direct;
    if (::sd_bus_set_address(bus, address.text.c_str()) < 0 ||
        ::sd_bus_set_bus_client(bus, is_direct_ ? 0 : 1) < 0 || ::sd_bus_start(bus) < 0) {
        bus_.reset();
        return;
    }
    // Of the system's manager a plain user asks what polkit may want a password for, if somebody is
    // there to ask: PolkitAgent, or the agent of a desktop.
    if (instance == Instance::system && !host::caller().is_system) {
        (void)::sd_bus_set_allow_interactive_authorization(bus, 1);
    }
}

void EarlyBus::Closer::operator()(sd_bus* bus) const noexcept {
    ::sd_bus_close_unref(bus);
}

} // namespace sctr::systemd
