// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/engine.hpp"
#include "container/usage.hpp"
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

/// Where processes are without a cgroup of their own: /proc/PID/ns/pid, and their parents.
struct Kinship {
    ino_t pid_namespace = 0;
    pid_t parent = 0;
};

std::optional<Kinship> kinship(pid_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    struct stat info{};
    const auto status = sys::read_small_file(directory + "/status");
    if (!status || ::stat((directory + "/ns/pid").c_str(), &info) != 0) {
        return std::nullopt;
    }
    for (const std::string& line : split(*status, '\n')) {
        if (line.starts_with("PPid:\t")) {
            return Kinship{info.st_ino, static_cast<pid_t>(parse_int(line.substr(6)).value_or(0))};
        }
    }
    return std::nullopt;
}

std::map<pid_t, Kinship> all_processes() {
    std::map<pid_t, Kinship> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator("/proc", none)) {
        const auto pid = parse_int(entry.path().filename().string());
        if (const auto kin = pid ? kinship(static_cast<pid_t>(*pid)) : std::nullopt) {
            found.emplace(static_cast<pid_t>(*pid), *kin);
        }
    }
    return found;
}

/// Of a container without a cgroup: what is in its pid namespace, if that is its own, and the
/// descendants of these.
std::vector<pid_t> relatives(pid_t init) {
    const std::map<pid_t, Kinship> all = all_processes();
    const auto first = all.find(init);
    const auto self = all.find(::getpid());
    if (first == all.end() || self == all.end()) {
        return {};
    }
    const bool has_namespace = first->second.pid_namespace != self->second.pid_namespace;
    std::set<pid_t> found{init};
    for (std::size_t before = 0; before != found.size();) {
        before = found.size();
        for (const auto& [pid, kin] : all) {
            if (found.contains(kin.parent) ||
                (has_namespace && kin.pid_namespace == first->second.pid_namespace)) {
                found.insert(pid);
            }
        }
    }
    return {found.begin(), found.end()};
}

} // namespace

std::vector<pid_t> processes_of_cgroup(const std::string& cgroup) {
    std::vector<pid_t> pids;
    add_processes("/sys/fs/cgroup" + cgroup, pids);
    std::ranges::sort(pids);
    return pids;
}

std::vector<pid_t> processes(const RecordStore& store, const std::string& id) {
    const Record record = store.load(id);
    if (current_status(record) == Status::stopped) {
        throw Error("container not running").at(id);
    }
    std::vector<pid_t> pids =
        has_own_cgroup(record) ? processes_of_cgroup(own_cgroup(record)) : relatives(record.pid);
    if (const auto init = std::ranges::find(pids, record.pid); init != pids.end()) {
        std::rotate(pids.begin(), init, init + 1);
    }
    return pids;
}

} // namespace sctr::container
