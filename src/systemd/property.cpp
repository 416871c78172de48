// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/property.hpp"

#include <sdbus-c++/Types.h>

#include <variant>

namespace sctr::systemd {

namespace {

template <typename Value> void append_variant(sdbus::Message& message, const Value& value) {
    message.openVariant<Value>();
    message << value;
    message.closeVariant();
}

/// An array of structs, each of which is appended by `append_fields`.
template <typename Items, typename AppendFields>
void append_structs(sdbus::Message& message,
                    const Items& items,
                    const std::string& fields,
                    AppendFields append_fields) {
    const std::string element = "(" + fields + ")";
    message.openVariant(("a" + element).c_str());
    message.openContainer(element.c_str());
    for (const auto& item : items) {
        message.openStruct(fields.c_str());
        append_fields(item);
        message.closeStruct();
    }
    message.closeContainer();
    message.closeVariant();
}

void append_variant(sdbus::Message& message, const plan::StringPairs& pairs) {
    append_structs(
        message, pairs, "ss", [&](const auto& pair) { message << pair.first << pair.second; });
}

void append_variant(sdbus::Message& message, const plan::DeviceLimits& limits) {
    append_structs(
        message, limits, "st", [&](const auto& limit) { message << limit.first << limit.second; });
}

void append_variant(sdbus::Message& message, const std::vector<plan::AddressPrefix>& prefixes) {
    append_structs(message, prefixes, "iayu", [&](const plan::AddressPrefix& prefix) {
        message << prefix.family << prefix.address << prefix.prefix_length;
    });
}

void append_variant(sdbus::Message& message, const std::vector<plan::SocketBindRule>& rules) {
    append_structs(message, rules, "iiqq", [&](const plan::SocketBindRule& rule) {
        message << rule.family << rule.protocol << rule.port_count << rule.first_port;
    });
}

void append_variant(sdbus::Message& message, const plan::InterfaceList& interfaces) {
    message.openVariant("(bas)");
    message.openStruct("bas");
    message << interfaces.is_allow_list << interfaces.names;
    message.closeStruct();
    message.closeVariant();
}

} // namespace

void append_property(sdbus::Message& message, const plan::UnitProperty& property) {
    message.openStruct("sv");
    message << property.name;
    std::visit([&](const auto& value) { append_variant(message, value); }, property.value);
    message.closeStruct();
}

void append_properties(sdbus::Message& message, const std::vector<plan::UnitProperty>& properties) {
    message.openContainer("(sv)");
    for (const plan::UnitProperty& property : properties) {
        append_property(message, property);
    }
    message.closeContainer();
}

} // namespace sctr::systemd
