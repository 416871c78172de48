// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/gather.hpp"

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/current_directory.hpp"
#include "cli/host_files.hpp"
#include "cli/log.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_builder.hpp"
#include "container/id.hpp"
#include "container/id_maps.hpp"
#include "container/id_range.hpp"

namespace sctr::cli {
namespace {

namespace fs = std::filesystem;

std::string kernel_release() {
    struct utsname name{};
    return ::uname(&name) == 0 ? name.release : "";
}

std::map<std::string, std::string> caller_environment() {
    std::map<std::string, std::string> values;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const auto [name, value] = split_once(*entry, '=');
        values.emplace(name, value.value_or(""));
    }
    return values;
}

plan::JoinedProcess running_init(const container::RecordStore& store, const std::string& name) {
    container::check_id(name); // before it becomes a path
    const container::Record record = store.load(name);
    switch (container::current_status(record)) {
    case container::Status::running:
    case container::Status::paused:
    case container::Status::created:
        return {.pid = record.pid, .start_time = record.start_time};
    case container::Status::creating:
    case container::Status::stopped:
        break;
    }
    throw Error("cannot join the namespaces of '" + name + "'").because("it is not running");
}

void check_bind_sources(const MountFlags& flags, const std::string& directory) {
    for (const auto& [path, flag] : bind_sources(flags, directory)) {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            Error error("cannot mount '" + path + "'");
            error.at(flag).because(errno);
            if (errno == ENOENT) {
                error.mend("create it first");
            }
            throw error;
        }
    }
}

/// What z and Z ask for has no meaning without SELinux; whoever wonders finds this.
void tell_ignored_labels(const MountFlags& flags) {
    for (const std::string& text : flags.volumes) {
        if (volume_sharing(text) != Sharing::none) {
            log(LogLevel::debug, "no SELinux here: z and Z are ignored in --volume " + text);
        }
    }
}

/// Whether the kernel has the profile. Who is not root may not look: his containers have a user
/// namespace, and no profile unless he names one.
bool is_apparmor_profile_loaded(std::string_view name) {
    std::ifstream profiles("/sys/kernel/security/apparmor/profiles");
    const std::string start = std::string(name) + " (";
    for (std::string line; std::getline(profiles, line);) {
        if (line.starts_with(start)) {
            return true;
        }
    }
    return false;
}

/// CPUs tell their temperature history here; a virtual machine has no such files.
std::vector<std::string> thermal_paths() {
    const std::string cpus = "/sys/devices/system/cpu";
    std::vector<std::string> paths;
    if (::access((cpus + "/cpu0/thermal_throttle").c_str(), F_OK) != 0) {
        return paths;
    }
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(cpus, failure)) {
        const fs::path path = entry.path() / "thermal_throttle";
        if (fs::exists(path, failure)) {
            paths.push_back(path.string());
        }
    }
    std::ranges::sort(paths);
    return paths;
}

/// Our own bounding set. Root may lack some, as in a container of its own.
std::uint64_t bounding_set() {
    std::uint64_t set = 0;
    for (unsigned capability = 0; capability < 64; ++capability) {
        if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
            set |= std::uint64_t{1} << capability;
        }
    }
    return set;
}

void gather_environment(const ProcessFlags& flags, RootfsFacts& facts) {
    for (const std::string& path : flags.env_files) {
        facts.env_files.push_back(read_host_file(path, "--env-file"));
    }
    facts.environment = caller_environment();
}

/// The lines of a map of /proc, as of user_namespaces(7).
std::vector<oci::IdMapping> read_map(pid_t pid, const char* file) {
    std::ifstream text("/proc/" + std::to_string(pid) + "/" + file);
    std::vector<oci::IdMapping> map;
    for (oci::IdMapping range; text >> range.container_id >> range.host_id >> range.size;) {
        map.push_back(range);
    }
    return map;
}

void gather_ids(const NamespaceFlags& flags, RootfsFacts& facts) {
    container::OwnIds own = container::own_ids();
    facts.own_uids = std::move(own.uids);
    facts.own_gids = std::move(own.gids);
    facts.kept = kept_ids(flags, facts);
    const auto joined = facts.containers.find(user_container(flags));
    if (facts.own_uids.empty() || joined == facts.containers.end()) {
        return;
    }
    const auto uid = plan::container_id(read_map(joined->second, "uid_map"), ::geteuid());
    const auto gid = plan::container_id(read_map(joined->second, "gid_map"), ::getegid());
    if (uid && gid && (*uid != 0 || *gid != 0)) {
        facts.kept = {.uid = *uid, .gid = *gid};
    }
}

} // namespace

void gather_accounts(const std::string& root, RootfsFacts& facts) {
    const UniqueFd root_fd = open_root(root);
    facts.passwd = read_in_root(root_fd, "/etc/passwd");
    facts.group = read_in_root(root_fd, "/etc/group");
}

std::string random_id() {
    std::array<unsigned char, 6> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("cannot choose a name").because(errno);
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

RootfsFacts gather_process(const ProcessFlags& flags, const std::string& root) {
    RootfsFacts facts;
    facts.rootfs = root;
    gather_accounts(root, facts);
    gather_environment(flags, facts);
    if (flags.privileged) {
        facts.capabilities = bounding_set();
    }
    return facts;
}

RootfsFacts gather_limits(const LimitFlags& limits) {
    RootfsFacts facts;
    for (const std::string& path : device_sources({}, limits)) {
        facts.devices[path] = find_devices(path);
    }
    return facts;
}

namespace {

/// What the caller says, beside the root.
void gather_caller(const ProcessFlags& flags, const Caller* caller, RootfsFacts& facts) {
    facts.working_directory = current_directory();
    if (caller != nullptr) {
        facts.working_directory = caller->working_directory;
        facts.environment = caller->environment;
        facts.env_files = caller->env_files;
    } else {
        gather_environment(flags, facts);
    }
}

} // namespace

RootfsFacts gather(const RunFlags& flags,
                   const container::RecordStore& store,
                   const std::optional<storage::ImageUse>& image,
                   const Caller* caller) {
    RootfsFacts facts;
    if (!flags.name) {
        facts.random_id = random_id();
    }
    for (const std::string& name : joined_containers(flags.namespaces)) {
        facts.joined.push_back(running_init(store, name));
        facts.containers[name] = facts.joined.back().pid;
    }
    gather_ids(flags.namespaces, facts);
    gather_root(flags, image, facts);
    gather_caller(flags.process, caller, facts);
    if (wants_id_range(flags.namespaces) && facts.own_uids.empty()) {
        facts.reserved_ids = container::reserve_id_range(flags.name.value_or(facts.random_id));
    }
    facts.has_selinux = ::access("/sys/fs/selinux/enforce", F_OK) == 0;
    if (!facts.has_selinux) {
        tell_ignored_labels(flags.mounts);
    }
    check_bind_sources(flags.mounts, facts.working_directory);
    gather_volumes(flags.mounts, store, caller, facts);
    gather_images(flags.mounts, facts);
    gather_secrets(flags, flags.detach && caller == nullptr, facts);
    for (const std::string& path : device_sources(flags.mounts, flags.limits)) {
        facts.devices[path] = find_devices(path);
    }
    if (flags.mounts.time_zone) {
        facts.time_zone_file = find_time_zone(*flags.mounts.time_zone);
    }
    for (const std::string& path : flags.label_files) {
        facts.label_files.push_back({path, read_host_file(path, "--label-file")});
    }
    gather_network(flags.network, store, facts);
    if (const std::string file = seccomp_file(flags.privileges); !file.empty()) {
        facts.seccomp_profile = read_host_file(file, "--security-opt seccomp");
        facts.kernel_release = kernel_release();
    }
    if (flags.process.privileged) {
        facts.capabilities = bounding_set();
        facts.all_devices = devices_below("/dev");
    } else {
        facts.thermal_paths = thermal_paths();
        facts.has_own_apparmor_profile = is_apparmor_profile_loaded(default_apparmor_profile);
        if (!flags.privileges.cap_add.empty()) {
            facts.capabilities = bounding_set();
        }
    }
    return facts;
}

} // namespace sctr::cli
