// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "cli/request_mounts.hpp"
#include "cli/values.hpp"

namespace sctr::cli {

const oci::Namespace* find_namespace(const oci::Spec& spec, oci::NamespaceType type) {
    const auto& all = spec.linux.namespaces;
    const auto found = std::ranges::find(all, type, &oci::Namespace::type);
    return found == all.end() ? nullptr : &*found;
}

namespace {

using oci::NamespaceType;

bool is_new(const oci::Namespace* space) {
    return space != nullptr && space->path.empty();
}

/// What mounts a fresh instance of the kernel's file systems would be refused for: in a new user
/// namespace the kernel allows it only for namespaces which that one owns.
struct Ownership {
    bool sysfs = true;
    bool proc = true;
    bool mqueue = true;
    bool host_ipc = false;
};

Ownership ownership(const oci::Spec& spec) {
    const bool new_user = is_new(find_namespace(spec, NamespaceType::user));
    const auto* ipc = find_namespace(spec, NamespaceType::ipc);
    return {.sysfs = !new_user || is_new(find_namespace(spec, NamespaceType::network)),
            .proc = !new_user || find_namespace(spec, NamespaceType::pid) != nullptr,
            .mqueue = !new_user || is_new(ipc),
            .host_ipc = ipc == nullptr};
}

bool maps_group(const oci::Linux& config, gid_t gid) {
    const auto& maps = config.gid_mappings;
    return maps.empty() || std::ranges::any_of(maps, [gid](const oci::IdMapping& map) {
               return gid >= map.container_id && gid - map.container_id < map.size;
           });
}

oci::Mount bind_from_host(const std::string& path, const std::vector<std::string>& options) {
    oci::Mount mount{.destination = path, .type = "bind", .source = path, .options = options};
    mount.options.insert(mount.options.begin(), {"rbind", "rprivate"});
    return mount;
}

constexpr const char* own_shm = "shm"; ///< as mountinfo shows it

oci::Mount shm_mount(const MountFlags& flags, bool host_ipc) {
    if (host_ipc) {
        return bind_from_host("/dev/shm", {"nosuid", "noexec", "nodev"});
    }
    std::string size = "65536k";
    if (flags.shm_size) {
        size = std::to_string(parse_bytes("--shm-size", *flags.shm_size, "a size as 64m"));
    }
    return {.destination = "/dev/shm",
            .type = "tmpfs",
            .source = own_shm,
            .options = {"nosuid", "noexec", "nodev", "mode=1777", "size=" + size}};
}

oci::Mount devpts_mount(const oci::Spec& spec) {
    oci::Mount mount{.destination = "/dev/pts", .type = "devpts", .source = "devpts"};
    mount.options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (maps_group(spec.linux, 5)) {
        mount.options.emplace_back("gid=5"); // tty, in every distribution
    }
    return mount;
}

} // namespace

std::vector<oci::Mount>
standard_mounts(const oci::Spec& spec, const MountFlags& flags, bool privileged) {
    const Ownership own = ownership(spec);
    const char* write = privileged ? "rw" : "ro";
    std::vector<oci::Mount> mounts;
    mounts.push_back(own.proc ? oci::Mount{.destination = "/proc",
                                           .type = "proc",
                                           .source = "proc",
                                           .options = {"nosuid", "noexec", "nodev"}}
                              : bind_from_host("/proc", {"nosuid", "noexec", "nodev"}));
    mounts.push_back({.destination = "/dev",
                      .type = "tmpfs",
                      .source = "tmpfs",
                      .options = {"nosuid", "strictatime", "mode=755", "size=65536k"}});
    mounts.push_back(own.sysfs ? oci::Mount{.destination = "/sys",
                                            .type = "sysfs",
                                            .source = "sysfs",
                                            .options = {"nosuid", "noexec", "nodev", write}}
                               : bind_from_host("/sys", {"nosuid", "noexec", "nodev", write}));
    mounts.push_back(devpts_mount(spec));
    mounts.push_back(shm_mount(flags, own.host_ipc));
    mounts.push_back(own.mqueue ? oci::Mount{.destination = "/dev/mqueue",
                                             .type = "mqueue",
                                             .source = "mqueue",
                                             .options = {"nosuid", "noexec", "nodev"}}
                                : bind_from_host("/dev/mqueue", {"nosuid", "noexec", "nodev"}));
    mounts.push_back({.destination = "/sys/fs/cgroup",
                      .type = "cgroup",
                      .source = "cgroup",
                      .options = {"nosuid", "noexec", "nodev", "relatime", write}});
    return mounts;
}

void share_memory(plan::Request& request, const RunFlags& flags, const RootfsFacts& facts) {
    const std::string other = ipc_container(flags.namespaces);
    auto& mounts = request.spec.mounts;
    const auto mount = std::ranges::find_if(mounts, [](const oci::Mount& candidate) {
        return candidate.destination == "/dev/shm" && candidate.source == own_shm;
    });
    if (other.empty() || mount == mounts.end()) { // the caller's own mount there wins
        return;
    }
    if (flags.mounts.shm_size) {
        throw bad_value("--shm-size",
                        *flags.mounts.shm_size,
                        "/dev/shm is that of the container '" + other + "'",
                        "no size beside --ipc container:NAME");
    }
    request.shared_memory_of = facts.containers.at(other);
    *mount = bind_from_host("/dev/shm", {"nosuid", "noexec", "nodev"});
    mount->source = "/proc/" + std::to_string(request.shared_memory_of) + "/root/dev/shm";
}

} // namespace sctr::cli
