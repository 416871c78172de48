// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/record_json.hpp"

/// spec: a config.json to begin with, the same as runc writes but for its name.
namespace sctr::cli::engine {
namespace {

using nlohmann::ordered_json;

ordered_json mount(const char* destination,
                   const char* type,
                   const char* source,
                   const std::vector<std::string>& options) {
    ordered_json json{{"destination", destination}, {"type", type}, {"source", source}};
    if (!options.empty()) {
        json["options"] = options;
    }
    return json;
}

ordered_json mounts(bool rootless) {
    std::vector<std::string> pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (!rootless) {
        pts.emplace_back("gid=5"); // which one's own id map rarely has
    }
    auto list = ordered_json::array();
    list.push_back(mount("/proc", "proc", "proc", {}));
    list.push_back(
        mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
    list.push_back(mount("/dev/pts", "devpts", "devpts", pts));
    list.push_back(mount(
        "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
    list.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    list.push_back(rootless
                       ? mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"})
                       : mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
    list.push_back(mount(
        "/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
    return list;
}

ordered_json process() {
    const ordered_json capabilities{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    return {
        {"terminal", true},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"sh"}},
        {"env",
         {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
        {"cwd", "/"},
        {"capabilities",
         {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
        {"rlimits",
         ordered_json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}})},
        {"noNewPrivileges", true}};
}

ordered_json linux_part(bool rootless) {
    ordered_json part;
    if (rootless) {
        const auto map = [](std::uint32_t id) {
            return ordered_json::array({{{"containerID", 0}, {"hostID", id}, {"size", 1}}});
        };
        part["uidMappings"] = map(::geteuid());
        part["gidMappings"] = map(::getegid());
    } else {
        part["resources"] = {
            {"devices", ordered_json::array({{{"allow", false}, {"access", "rwm"}}})}};
    }
    auto namespaces = ordered_json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"}) {
        const std::string name = type;
        if (name != (rootless ? "network" : "user")) {
            namespaces.push_back({{"type", name}});
        }
    }
    part["namespaces"] = std::move(namespaces);
    part["maskedPaths"] = {"/proc/acpi",
                           "/proc/asound",
                           "/proc/kcore",
                           "/proc/keys",
                           "/proc/latency_stats",
                           "/proc/timer_list",
                           "/proc/timer_stats",
                           "/proc/sched_debug",
                           "/sys/firmware",
                           "/proc/scsi"};
    part["readonlyPaths"] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    return part;
}

} // namespace

int spec_verb(const Globals& /*globals*/, const Words& words) {
    std::optional<std::string> bundle;
    bool rootless = false;
    CLI::App app("Writes a config.json to begin with.", "sctr-oci spec");
    describe(app, "[OPTIONS]", {"sctr-oci spec --bundle ./bundle"});
    add_text(app, "-b,--bundle", bundle, "directory to write it to (default: here)");
    add_switch(app, "--rootless", rootless, "for a container of a plain user");
    parse_flags(app, words);
    const ordered_json config{{"ociVersion", "1.3.0"},
                              {"process", process()},
                              {"root", {{"path", "rootfs"}, {"readonly", true}}},
                              {"hostname", "sctr"},
                              {"mounts", mounts(rootless)},
                              {"linux", linux_part(rootless)}};
    const std::string text = json_text(config) + "\n";
    const std::string path = bundle.value_or(".") + "/config.json";
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the configuration").at(path).because(errno);
    }
    return 0;
}

} // namespace sctr::cli::engine
