// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "systemd/bus.hpp"
#include "systemd/bus_error.hpp"

#include <optional>
#include <string>

/// Calls of systemd's manager object that are waited for. A failure is an Error that says `what`
/// failed, and where.
namespace sctr::systemd {

template <typename... Arguments>
sdbus::MethodReply call_manager(Bus& bus,
                                const char* what,
                                const std::string& where,
                                const char* method,
                                const Arguments&... arguments) {
    try {
        auto message = bus.manager_call(method);
        ((message << arguments), ...);
        return bus.call(message);
    } catch (const sdbus::Error& failure) {
        throw call_error(failure, what, where, bus.deadlines());
    }
}

/// The same, with `unit` as the first argument: nothing when the unit or its processes are gone.
template <typename... Arguments>
std::optional<sdbus::MethodReply> call_if_there(Bus& bus,
                                                const char* what,
                                                const std::string& unit,
                                                const char* method,
                                                const Arguments&... arguments) {
    try {
        auto message = bus.manager_call(method);
        ((message << unit) << ... << arguments);
        return bus.call(message);
    } catch (const sdbus::Error& failure) {
        if (is_already_gone(failure)) {
            return std::nullopt;
        }
        throw call_error(failure, what, unit, bus.deadlines());
    }
}

/// One property of a scope, of the D-Bus type `type`. Throws sdbus::Error.
template <typename Value>
Value scope_property(Bus& bus, const std::string& unit, const char* name, const char* type) {
    auto message = bus.properties_call(unit_path(unit), "Get");
    message << "org.freedesktop.systemd1.Scope" << name;
    Value value{};
    auto reply = bus.call(message);
    reply.enterVariant(type);
    reply >> value;
    return value;
}

/// Every property of a unit, of all of its interfaces, as a dictionary that is yet to be read.
inline sdbus::MethodReply get_properties(Bus& bus, const std::string& unit) {
    try {
        auto message = bus.properties_call(unit_path(unit), "GetAll");
        message << ""; // no interface: those of all, in one reply
        return bus.call(message);
    } catch (const sdbus::Error& failure) {
        throw call_error(failure, "cannot ask for the state of the unit", unit, bus.deadlines());
    }
}

} // namespace sctr::systemd
