// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/usage.hpp"

#include "base/strings.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

std::string cgroup_of_unit(std::string_view path, std::string_view unit) {
    if (unit.empty()) {
        return "";
    }
    std::string found;
    for (const std::string& part : split(path, '/')) {
        if (part.empty()) {
            continue;
        }
        found += '/' + part;
        if (part == unit) {
            return found;
        }
    }
    return "";
}

std::string own_cgroup(const Record& record) {
    return record.cgroup.empty() ? cgroup_of_unit(sys::cgroup_of(record.pid), record.unit)
                                 : record.cgroup;
}

std::optional<Usage>
usage_of_cgroup(const std::string& id, const std::string& unit, const std::string& cgroup) {
    const std::string directory = "/sys/fs/cgroup" + cgroup;
    const auto controllers = sys::read_small_file(directory + "/cgroup.controllers");
    if (!controllers) {
        return std::nullopt;
    }
    Usage usage{.id = id,
                .unit = unit,
                .stats = read_cgroup_stats(directory),
                .taken = std::chrono::steady_clock::now()};
    for (const std::string& line : split(*controllers, '\n')) {
        for (const std::string& name : split(line, ' ')) {
            if (!name.empty()) {
                usage.controllers.insert(name);
            }
        }
    }
    return usage;
}

std::optional<Usage> usage_of(const Record& record) {
    const std::string cgroup = own_cgroup(record);
    if (cgroup.empty() || current_status(record) == Status::stopped) {
        return std::nullopt;
    }
    auto usage = usage_of_cgroup(record.id, record.unit, cgroup);
    if (usage) {
        usage->traffic = network::traffic_of(record.pid);
    }
    return usage;
}

} // namespace sctr::container
