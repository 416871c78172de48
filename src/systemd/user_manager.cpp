// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/user_manager.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "systemd/bus.hpp"
#include "systemd/bus_error.hpp"

namespace sctr::systemd {

namespace {

std::uint32_t main_pid(Bus& bus, const std::string& service) {
    auto message = bus.properties_call(unit_path(service), "Get");
    message << "org.freedesktop.systemd1.Service" << "MainPID";
    auto reply = bus.call(message);
    std::uint32_t pid = 0;
    reply.enterVariant("u");
    reply >> pid;
    return pid;
}

std::vector<std::string> names_on(Bus& bus) {
    std::vector<std::string> names;
    bus.call(bus.driver_call("ListNames")) >> names;
    return names;
}

/// False for a name that has gone meanwhile, too.
bool is_of_process(Bus& bus, const std::string& name, std::uint32_t pid) {
    try {
        auto message = bus.driver_call("GetConnectionUnixProcessID");
        message << name;
        std::uint32_t found = 0;
        bus.call(message) >> found;
        return found == pid;
    } catch (const sdbus::Error&) {
        return false;
    }
}

} // namespace

bool is_cut_off(std::uint32_t uid) {
    const std::string service = "user@" + std::to_string(uid) + ".service";
    const Deadlines deadlines;
    Bus bus(EarlyBus(Instance::system), deadlines);
    try {
        const std::uint32_t pid = main_pid(bus, service);
        return pid != 0 && std::ranges::none_of(names_on(bus), [&](const std::string& name) {
                   return name.starts_with(':') && is_of_process(bus, name, pid);
               });
    } catch (const sdbus::Error& failure) {
        throw call_error(
            failure, "cannot see whether it is on the system's bus", service, deadlines);
    }
}

} // namespace sctr::systemd
