// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/announce.hpp"

#include <algorithm>
#include <array>
#include <ranges>

#include "base/strings.hpp"
#include "container/log_fields.hpp"
#include "host/caller.hpp"
#include "systemd/journal_entry.hpp"
#include "systemd/journal_socket.hpp"

namespace sctr::container {

namespace {

constexpr std::array all_events = {Event::create,
                                   Event::start,
                                   Event::exec,
                                   Event::pause,
                                   Event::unpause,
                                   Event::oom,
                                   Event::health_status,
                                   Event::stop,
                                   Event::die,
                                   Event::remove};

/// As syslog(3) numbers them.
int priority_of(std::initializer_list<Event> events) {
    constexpr int warning = 4;
    constexpr int info = 6;
    constexpr int debug = 7; // health checks are many
    if (std::ranges::contains(events, Event::oom)) {
        return warning;
    }
    return std::ranges::contains(events, Event::exec) ? debug : info;
}

systemd::JournalEntry entry_of(std::initializer_list<Event> events,
                               const Record& record,
                               const oci::Spec& config,
                               const EventDetails& details) {
    systemd::JournalEntry entry;
    std::string message = "container " + record.id + ": ";
    for (const char* separator = ""; const Event event : events) {
        entry.add(field::event, to_string(event));
        message += separator + std::string(to_string(event));
        separator = ", ";
    }
    if (details.exit_status) {
        entry.add(field::exit_status, std::to_string(*details.exit_status));
        message += " (status " + std::to_string(*details.exit_status) + ")";
    }
    if (!details.health.empty()) {
        message += " " + details.health;
    }
    return entry.add("MESSAGE", message)
        .add("MESSAGE_ID", event_message_id)
        .add("PRIORITY", std::to_string(priority_of(events)))
        .add("SYSLOG_IDENTIFIER", "sctr")
        .add(field::name, record.id)
        .add(field::id, record.id)
        .add(field::run, std::to_string(record.created_usec))
        .add_if(field::unit, record.unit)
        .add_if(host::caller().is_system ? "OBJECT_SYSTEMD_UNIT" : "OBJECT_SYSTEMD_USER_UNIT",
                record.unit)
        .add_if(field::image, image_name(config))
        .add_if(field::log, details.log)
        .add_if(field::command, details.command)
        .add_if(field::health, details.health);
}

} // namespace

const char* to_string(Event event) {
    switch (event) {
    case Event::create:
        return "create";
    case Event::start:
        return "start";
    case Event::exec:
        return "exec";
    case Event::pause:
        return "pause";
    case Event::unpause:
        return "unpause";
    case Event::oom:
        return "oom";
    case Event::health_status:
        return "health_status";
    case Event::stop:
        return "stop";
    case Event::die:
        return "die";
    case Event::remove:
        return "remove";
    }
    return "";
}

std::optional<Event> parse_event(std::string_view name) {
    const auto* const found =
        std::ranges::find_if(all_events, [&](Event event) { return name == to_string(event); });
    return found == all_events.end() ? std::nullopt : std::optional(*found);
}

void announce(std::initializer_list<Event> events,
              const Record& record,
              const oci::Spec& config,
              const EventDetails& details) noexcept {
    try {
        systemd::JournalSocket().send(entry_of(events, record, config, details).bytes());
    } catch (const std::exception&) {
        // A host without journald has nobody to tell.
    }
}

} // namespace sctr::container
