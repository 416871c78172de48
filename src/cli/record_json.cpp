// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/record_json.hpp"

#include <ctime>
#include <string>

#include "base/strings.hpp"

namespace sctr::cli {

std::string timestamp(std::int64_t usec) {
    const std::time_t seconds = usec / 1'000'000;
    struct tm fields{};
    ::gmtime_r(&seconds, &fields);
    char text[sizeof "2026-01-01T00:00:00"];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &fields);
    std::string fraction = std::to_string(1'000'000 + usec % 1'000'000);
    fraction.front() = '.';
    return std::string(text, size) + fraction + 'Z';
}

nlohmann::ordered_json record_json(const container::Record& record, container::Status status) {
    nlohmann::ordered_json json{
        {"id", record.id},
        {"status", container::to_string(status)},
        {"pid", record.pid},
        {"unit", record.unit},
        {"description", record.description},
        {"image", record.image},
        {"rootfs", record.rootfs},
        {"created", timestamp(record.created_usec)},
    };
    if (record.exit_status) {
        json["exitStatus"] = *record.exit_status;
        json["oomKilled"] = record.oom_killed;
    }
    if (record.finished_usec != 0) {
        json["finished"] = timestamp(record.finished_usec);
    }
    return json;
}

std::string json_text(const nlohmann::ordered_json& json) {
    return escape_json_controls(
        json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string json_line(const nlohmann::ordered_json& json) {
    return escape_json_controls(
        json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

} // namespace sctr::cli
