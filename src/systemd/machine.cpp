// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/machine.hpp"

#include <vector>

namespace sctr::systemd {

namespace {

Error failure_of(const sdbus::Error& error, const std::string& name) {
    Error failure("the container is not registered with systemd-machined");
    failure.at(name);
    if (error.getName() == "org.freedesktop.machine1.MachineExists") {
        return failure.because("another machine has this name");
    }
    return failure.because(error.getMessage());
}

} // namespace

MachineEntry::MachineEntry(Bus& bus,
                           const Machine& machine,
                           std::function<void(const Error&)> on_failure)
    : bus_(&bus), name_(machine.name), on_failure_(std::move(on_failure)) {
    auto message = bus.machined_call("RegisterMachine");
    message << machine.name;
    message << std::vector<std::uint8_t>{}; // a machine id: none that we know of
    message << "sctr" << "container";
    message << static_cast<std::uint32_t>(machine.leader) << machine.root;
    call_ = bus.send(message,
                     [this](const sdbus::MethodReply&, const std::optional<sdbus::Error>& error) {
                         is_registered_ = !error;
                         if (error) {
                             on_failure_(failure_of(*error, name_));
                         }
                     });
}

void MachineEntry::remove() {
    if (!is_registered_) {
        return; // it may be another one's
    }
    auto message = bus_->machined_call("UnregisterMachine");
    message << name_;
    message.dontExpectReply();
    message.send(0);
}

} // namespace sctr::systemd
