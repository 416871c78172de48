// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/ps_view.hpp"

#include <unistd.h>

#include <array>

#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "plan/service.hpp"

namespace sctr::cli {
namespace {

/// What a running container's line says and a stopped one adds.
std::string status_text(const PsRow& row) {
    std::string text = container::to_string(row.status);
    if (row.status == container::Status::stopped && row.record.exit_status) {
        text = "exited (" + std::to_string(*row.record.exit_status) + ")";
    }
    if (row.health) {
        text += std::string(" (") + container::to_string(*row.health) + ")";
    }
    if (row.record.oom_killed) {
        text += " oom";
    }
    return text;
}

/// Microseconds after the boot at which its first process began.
std::int64_t started_usec(const container::Record& record) {
    static const std::int64_t tick_usec = 1'000'000 / ::sysconf(_SC_CLK_TCK);
    return static_cast<std::int64_t>(record.start_time) * tick_usec;
}

} // namespace

PsRow stored_row(const container::Definition& definition,
                 const std::optional<container::LastRun>& run) {
    PsRow row;
    row.record.id = definition.name;
    row.record.unit = plan::service_name(definition.name);
    row.record.description = definition.description;
    row.record.image = definition.image;
    row.record.rootfs = definition.rootfs;
    row.record.created_usec = definition.created_usec;
    row.status = run ? container::Status::stopped : container::Status::created;
    if (run) {
        row.record.exit_status = run->exit_status;
        row.record.oom_killed = run->oom_killed;
        row.record.finished_usec = run->finished_usec;
    }
    return row;
}

std::string format_age(std::int64_t microseconds) {
    struct Unit {
        const char* name;
        std::int64_t seconds;
    };

    constexpr std::array<Unit, 5> units = {{
        {"week", 7L * 24 * 3600},
        {"day", 24L * 3600},
        {"hour", 3600},
        {"minute", 60},
        {"second", 1},
    }};
    const std::int64_t seconds = microseconds / 1'000'000;
    for (const Unit& unit : units) {
        if (const std::int64_t count = seconds / unit.seconds; count > 0) {
            return std::to_string(count) + ' ' + unit.name + (count == 1 ? "" : "s");
        }
    }
    return "0 seconds";
}

std::string uptime_of(const PsRow& row, std::int64_t since_boot_usec) {
    const bool lives = row.status != container::Status::stopped && row.record.pid > 0;
    return lives ? format_age(since_boot_usec - started_usec(row.record)) : "";
}

std::string ps_table(const std::vector<PsRow>& rows, std::int64_t since_boot_usec) {
    Table table({"NAME", "IMAGE", "PID", "STATUS", "UPTIME", "COMMAND", "UNIT"});
    for (const PsRow& row : rows) {
        const container::Record& record = row.record;
        const bool lives = row.status != container::Status::stopped && record.pid > 0;
        const std::string uptime = uptime_of(row, since_boot_usec);
        table.add({record.id,
                   record.image.empty() ? "-" : record.image,
                   lives ? std::to_string(record.pid) : "-",
                   status_text(row),
                   uptime.empty() ? "-" : uptime,
                   record.description,
                   record.unit});
    }
    return table.text();
}

nlohmann::ordered_json ps_row_json(const PsRow& row) {
    auto json = record_json(row.record, row.status);
    if (row.health) {
        json["health"] = container::to_string(*row.health);
    }
    return json;
}

std::string ps_json(const std::vector<PsRow>& rows) {
    auto list = nlohmann::ordered_json::array();
    for (const PsRow& row : rows) {
        list.push_back(ps_row_json(row));
    }
    return json_text(list) + '\n';
}

} // namespace sctr::cli
