// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/job_watch.hpp"

#include <algorithm>

namespace sctr::systemd {

std::string sender_of(const sdbus::Message& message) {
    const char* sender = message.getSender();
    return sender != nullptr ? sender : "";
}

JobWatch::JobWatch(Bus& bus, const std::string& unit)
    : slot_(bus.match(manager_signal_rule("JobRemoved"), [this, unit](sdbus::Message signal) {
          std::uint32_t id = 0;
          sdbus::ObjectPath job;
          std::string of_unit;
          std::string result;
          signal >> id >> job >> of_unit >> result;
          if (of_unit == unit) {
              ended_.push_back({job, sender_of(signal), std::move(result)});
          }
      })) {}

std::optional<std::string> JobWatch::outcome(const std::string& job,
                                             const std::string& systemd) const {
    const auto found = std::ranges::find_if(
        ended_, [&](const EndedJob& ended) { return ended.job == job && ended.sender == systemd; });
    return found != ended_.end() ? std::optional(found->result) : std::nullopt;
}

} // namespace sctr::systemd
