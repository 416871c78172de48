// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/engine.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

namespace fs = std::filesystem;

void add_processes(const fs::path& cgroup, std::vector<pid_t>& pids) {
    const auto text = sys::read_small_file(cgroup / "cgroup.procs").value_or("");
    for (const std::string& line : split(text, '\n')) {
        if (const auto pid = parse_int(line)) {
            pids.push_back(static_cast<pid_t>(*pid));
        }
    }
    std::error_code gone; // a cgroup may vanish at any time
    for (const auto& entry : fs::directory_iterator(cgroup, gone)) {
        if (entry.is_directory(gone)) {
            add_processes(entry.path(), pids);
        }
    }
}

} // namespace

std::vector<pid_t> processes(const RecordStore& store, const std::string& id) {
    const Record record = store.load(id);
    if (current_status(record) == Status::stopped) {
        throw Error("container not running").at(id);
    }
    std::vector<pid_t> pids;
    const std::string cgroup = record.cgroup.empty() ? sys::cgroup_of(record.pid) : record.cgroup;
    add_processes("/sys/fs/cgroup" + cgroup, pids);
    std::ranges::sort(pids);
    if (const auto init = std::ranges::find(pids, record.pid); init != pids.end()) {
        std::rotate(pids.begin(), init, init + 1);
    }
    return pids;
}

} // namespace sctr::container
