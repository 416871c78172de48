// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "container/announce.hpp"

/// What `sctr events` shows. Pure.
namespace sctr::cli {

struct EventEntry {
    std::int64_t time_usec = 0;
    container::Event event = container::Event::create;
    std::string name;
    std::string unit;
    std::string run;
    std::string image;
    std::string command;
    std::string health;
    std::optional<std::int64_t> exit_status;
};

/// "2026-11-22T10:00:00.000000Z die web (status=1, unit=sctr-web.scope)"
std::string event_text(const EventEntry& entry);

nlohmann::ordered_json event_object(const EventEntry& entry);

/// One line of JSON.
std::string event_json(const EventEntry& entry);

/// The conditions of --filter: one of each kind has to hold.
class EventFilter {
  public:
    /// Takes "container=NAME", "event=TYPE" or "image=NAME". Throws Error.
    void add(std::string_view text);

    [[nodiscard]] bool matches(const EventEntry& entry) const;

  private:
    std::vector<std::string> names_;
    std::vector<std::string> images_;
    std::vector<container::Event> events_;
};

} // namespace sctr::cli
