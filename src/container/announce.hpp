// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

#include "container/record.hpp"
#include "oci/spec.hpp"

/// Tells the journal what happens to containers, for `sctr events` and for everybody who reads it.
namespace sctr::container {

/// In the order in which they happen, where one entry tells of several.
enum class Event { create, start, exec, pause, unpause, oom, health_status, stop, die, remove };

const char* to_string(Event event);

/// The event of that name; nothing if there is none.
std::optional<Event> parse_event(std::string_view name);

/// What else there is to say of an event.
struct EventDetails {
    std::string log{};                ///< of create: where the output goes
    std::string command{};            ///< of exec
    std::string health{};             ///< of health_status
    std::optional<int> exit_status{}; ///< of die, where it is known
};

/// Writes one entry about these events. One datagram; never waits and never fails: a journal that
/// does not take it must not keep a container from running.
void announce(std::initializer_list<Event> events,
              const Record& record,
              const oci::Spec& config,
              const EventDetails& details = {}) noexcept;

} // namespace sctr::container
