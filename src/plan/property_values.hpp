// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "plan/unit.hpp"

/// The notations of values in unit files, each as a function from text to a D-Bus property.
/// The table of plan/property_text.cpp says which property has which.
namespace sctr::plan::property_values {

struct KnownProperty;

/// Turns a value into the property to send. Throws Error that says what is valid.
using Parser = UnitProperty (*)(const KnownProperty& known, std::string_view value);

struct KnownProperty {
    std::string_view name;      ///< in unit files
    std::string_view dbus_name; ///< on D-Bus; often the same
    Parser parse;
    std::string_view words; ///< for `word`: the valid ones, joined by '|'
};

/// The error of a parser; `valid` completes "write ...".
Error bad_value(const KnownProperty& known, std::string_view value, std::string_view valid);

UnitProperty boolean(const KnownProperty& known, std::string_view value);
UnitProperty text(const KnownProperty& known, std::string_view value);
/// One of `known.words`.
UnitProperty word(const KnownProperty& known, std::string_view value);
UnitProperty word_list(const KnownProperty& known, std::string_view value);
UnitProperty unit_list(const KnownProperty& known, std::string_view value);
UnitProperty slice(const KnownProperty& known, std::string_view value);
UnitProperty signal(const KnownProperty& known, std::string_view value);
/// A span of time ("90", "1min 30s", "infinity"), on D-Bus in microseconds.
UnitProperty time_span(const KnownProperty& known, std::string_view value);
/// 1 to 10000.
UnitProperty weight(const KnownProperty& known, std::string_view value);
/// A weight, or "idle".
UnitProperty cpu_weight(const KnownProperty& known, std::string_view value);
/// A percentage of one CPU, on D-Bus microseconds of CPU time in a second.
UnitProperty cpu_quota(const KnownProperty& known, std::string_view value);
/// CPUs or memory nodes ("0-3,7"), on D-Bus a bit set.
UnitProperty numbers(const KnownProperty& known, std::string_view value);
/// Bytes ("1.5G", base 1024), a percentage of the memory of the machine, or "infinity".
UnitProperty memory(const KnownProperty& known, std::string_view value);
/// A number, a percentage of what the kernel allows, or "infinity".
UnitProperty tasks(const KnownProperty& known, std::string_view value);
/// A percentage, on D-Bus scaled to 2^32-1.
UnitProperty percentage(const KnownProperty& known, std::string_view value);
/// "DEVICE RATE", the rate a second with suffixes of base 1000, or "infinity".
UnitProperty device_rate(const KnownProperty& known, std::string_view value);
UnitProperty device_weight(const KnownProperty& known, std::string_view value);
UnitProperty device_latency(const KnownProperty& known, std::string_view value);
/// "DEVICE ACCESS", the access of the letters r, w and m.
UnitProperty device_access(const KnownProperty& known, std::string_view value);
/// Addresses and prefixes of IPv4 and IPv6, or one of the names for some.
UnitProperty addresses(const KnownProperty& known, std::string_view value);
/// "[ipv4:|ipv6:][tcp:|udp:]PORT[-PORT]", any part may be missing; "any".
UnitProperty socket_bind(const KnownProperty& known, std::string_view value);
/// Names of network interfaces, after '~' the ones that are refused.
UnitProperty interfaces(const KnownProperty& known, std::string_view value);
/// A boolean, or names of controllers (then DelegateControllers).
UnitProperty delegate(const KnownProperty& known, std::string_view value);
/// "TYPE:PATH".
UnitProperty bpf_program(const KnownProperty& known, std::string_view value);

} // namespace sctr::plan::property_values
