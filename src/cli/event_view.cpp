// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/event_view.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "cli/record_json.hpp"
#include "cli/time_point.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

template <typename T> bool holds(const std::vector<T>& wanted, const T& value) {
    return wanted.empty() || std::ranges::contains(wanted, value);
}

} // namespace

std::string event_text(const EventEntry& entry) {
    std::vector<std::string> details;
    if (entry.exit_status) {
        details.push_back("status=" + std::to_string(*entry.exit_status));
    }
    if (!entry.health.empty()) {
        details.push_back("health=" + escape_controls(entry.health));
    }
    if (!entry.command.empty()) {
        details.push_back("command=" + escape_controls(entry.command));
    }
    if (!entry.image.empty()) {
        details.push_back("image=" + escape_controls(entry.image));
    }
    details.push_back("unit=" + escape_controls(entry.unit));
    return precise_timestamp(entry.time_usec) + ' ' + container::to_string(entry.event) + ' ' +
           escape_controls(entry.name) + " (" + join(details, ", ") + ")\n";
}

nlohmann::ordered_json event_object(const EventEntry& entry) {
    nlohmann::ordered_json json{
        {"time", precise_timestamp(entry.time_usec)},
        {"event", container::to_string(entry.event)},
        {"name", entry.name},
        {"unit", entry.unit},
        {"run", entry.run},
    };
    if (!entry.image.empty()) {
        json["image"] = entry.image;
    }
    if (!entry.command.empty()) {
        json["command"] = entry.command;
    }
    if (!entry.health.empty()) {
        json["health"] = entry.health;
    }
    if (entry.exit_status) {
        json["exitStatus"] = *entry.exit_status;
    }
    return json;
}

std::string event_json(const EventEntry& entry) {
    return json_line(event_object(entry)) + '\n';
}

void EventFilter::add(std::string_view text) {
    const auto [key, value] = split_once(text, '=');
    const bool has_value = value && !value->empty();
    if (key == "container" && has_value) {
        names_.push_back(*value);
    } else if (key == "image" && has_value) {
        images_.push_back(*value);
    } else if (const auto event = container::parse_event(value.value_or(""));
               key == "event" && event) {
        events_.push_back(*event);
    } else {
        throw bad_value("--filter",
                        text,
                        key == "event" ? "no such event" : "",
                        "container=NAME, image=NAME, or event= with create, start, exec, pause, "
                        "unpause, oom, health_status, stop, die or remove");
    }
}

bool EventFilter::matches(const EventEntry& entry) const {
    return holds(names_, entry.name) && holds(images_, entry.image) && holds(events_, entry.event);
}

} // namespace sctr::cli
