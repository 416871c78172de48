// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>

#include <algorithm>
#include <array>

#include "cli/log.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"
#include "linux/chosen_path.hpp"

namespace sctr::cli {
namespace {

using oci::NamespaceType;

const oci::Namespace* find_namespace(const oci::Spec& spec, NamespaceType type) {
    const auto& all = spec.linux.namespaces;
    const auto found = std::ranges::find(all, type, &oci::Namespace::type);
    return found == all.end() ? nullptr : &*found;
}

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

/// The mounts that docker and podman give every container (runtime-spec, config-linux, Default
/// Filesystems).
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

/// Where the kernel's files and devices are. An image that had its own there would do without what
/// is mounted, masked and read-only.
bool is_kernels(const std::string& path) {
    return std::ranges::any_of(
        std::array<std::string, 3>{"/proc", "/sys", "/dev"},
        [&](const std::string& place) { return path == place || path.starts_with(place + "/"); });
}

std::string volume_place(const std::string& path) {
    return container_path("VOLUME", "/" + path);
}

/// Places that the image wants kept, unless the caller mounts something there himself. Each is made
/// and filled before the container starts.
void add_image_volumes(std::vector<CallersMount>& mounts, const oci::ImageProcess& image) {
    constexpr std::size_t most = 100;
    if (image.volumes.size() > most) {
        throw Error("the image wants too many volumes")
            .at("Volumes")
            .because("they are more than " + std::to_string(most));
    }
    for (const auto& [path, present] : image.volumes) {
        const std::string destination = volume_place(path);
        const bool is_taken = std::ranges::any_of(mounts, [&](const CallersMount& callers) {
            return callers.mount.destination == destination;
        });
        if (destination != "/" && !is_kernels(destination) && !is_taken) {
            mounts.push_back(parse_volume(destination, ""));
        }
    }
}

void tell_missing_volumes(const oci::ImageProcess& image) {
    for (const auto& [path, present] : image.volumes) {
        if (const std::string place = volume_place(path); is_kernels(place)) {
            log(LogLevel::warn,
                "no volume at " + place + ", which the image wants: it is the kernel's");
        }
    }
}

/// Gives volumes their names and sources.
void resolve_volume(CallersMount& callers, const RootfsFacts& facts) {
    if (!callers.volume) {
        return;
    }
    std::string& name = callers.volume->name;
    if (name.empty()) {
        callers.owner = facts.volume_owner;
        name = plan::anonymous_volume(facts.volume_owner, callers.mount.destination);
    }
    callers.mount.source = plan::volume_data(facts.volumes, name);
}

/// The files of an image: one layer as it is, several as an overlay. What is written is above them,
/// in a directory of the container's own, and forgotten when it ends.
void resolve_image(CallersMount& callers, std::size_t number, const RootfsFacts& facts) {
    const auto found = callers.image ? facts.images.find(*callers.image) : facts.images.end();
    if (found == facts.images.end()) {
        return;
    }
    oci::Mount& mount = callers.mount;
    const bool is_read_only = std::ranges::contains(mount.options, "ro");
    if (is_read_only && found->second.size() == 1) {
        mount.type = "bind";
        mount.source = found->second.front();
        mount.options.insert(mount.options.begin(), {"bind", "rprivate"});
        return;
    }
    mount.type = "overlay";
    mount.source = "overlay";
    for (const std::string& layer : found->second) {
        mount.options.push_back("lowerdir+=\"" + layer + "\"");
    }
    if (!facts.own_uids.empty()) {
        mount.options.emplace_back("userxattr");
    }
    if (is_read_only) {
        return;
    }
    if (facts.overlay.upper.empty()) {
        throw Error("cannot write above the mounted image")
            .at("--mount " + mount.destination)
            .because("the container has no directory of its own")
            .mend("drop rw, or run an image or --rootfs DIR:O");
    }
    const std::string own = facts.overlay.upper.substr(0, facts.overlay.upper.rfind('/')) +
                            "/mount" + std::to_string(number);
    mount.options.push_back("upperdir=\"" + own + "/upper\"");
    mount.options.push_back("workdir=\"" + own + "/work\"");
    mount.options.emplace_back("volatile");
}

} // namespace

std::vector<CallersMount> callers_mounts(const MountFlags& flags, const RootfsFacts& facts) {
    std::vector<CallersMount> mounts;
    mounts.reserve(flags.volumes.size() + flags.mounts.size() + flags.tmpfs.size());
    for (const std::string& text : flags.volumes) {
        mounts.push_back(parse_volume(text, facts.working_directory));
    }
    for (const std::string& text : flags.mounts) {
        mounts.push_back(parse_mount(text, facts.working_directory));
    }
    for (const std::string& text : flags.tmpfs) {
        mounts.push_back({.mount = parse_tmpfs(text)});
    }
    std::set<std::string> seen;
    for (const CallersMount& callers : mounts) {
        if (!seen.insert(callers.mount.destination).second) {
            throw Error("two mounts at one place")
                .at(callers.mount.destination)
                .mend("drop one of them");
        }
    }
    for (const CallersMount& others : facts.volumes_from) {
        if (seen.insert(others.mount.destination).second) {
            mounts.push_back(others);
        }
    }
    add_image_volumes(mounts, facts.image_process);
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        resolve_volume(mounts[i], facts);
        resolve_image(mounts[i], i, facts);
    }
    return mounts;
}

namespace {

std::uint32_t mapped(std::uint32_t id, const std::vector<oci::IdMapping>& maps) {
    for (const oci::IdMapping& map : maps) {
        if (id >= map.container_id && id - map.container_id < map.size) {
            return map.host_id + (id - map.container_id);
        }
    }
    return id;
}

bool is_id_mapped(const oci::Mount& mount) {
    return std::ranges::contains(mount.options, "idmap") ||
           std::ranges::contains(mount.options, "ridmap");
}

/// A volume's ids are shown as those of the root's files: where its layers are id-mapped
/// (HostTree::overlay), so is the volume, which has the ids of containers on disk, whatever ids of
/// the host they run with.
void map_volume(CallersMount& callers, const oci::Spec& spec, const RootfsFacts& facts) {
    oci::Mount& mount = callers.mount;
    const bool is_mapped =
        is_id_mapped(mount) || std::ranges::any_of(mount.options, [](const std::string& option) {
            return option.starts_with("idmap=") || option.starts_with("ridmap=");
        });
    const bool has_mapped_root = !facts.overlay.lower.empty();
    if (facts.own_uids.empty() && (callers.image || has_mapped_root) && !is_mapped &&
        find_namespace(spec, NamespaceType::user) != nullptr) {
        mount.options.emplace_back("idmap");
    }
}

/// The container's user, as what he shall own has him; of a plain user's: as his own namespace
/// does.
std::pair<std::uint32_t, std::uint32_t>
owner_ids(const oci::Mount& mount, const oci::Spec& spec, const RootfsFacts& facts) {
    const oci::User& user = spec.process->user;
    if (!facts.own_uids.empty() || is_id_mapped(mount)) {
        return {user.uid, user.gid};
    }
    return {mapped(user.uid, spec.linux.uid_mappings), mapped(user.gid, spec.linux.gid_mappings)};
}

/// A host whose own directories belong to a container's user does not come up again.
void refuse_to_give(const std::string& path) {
    const UniqueFd directory(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (directory.valid() && sys::is_hosts_own(directory.get())) {
        throw Error("cannot give the directory to the container's user")
            .at("--volume " + path)
            .because("it is the host's own")
            .mend("drop U, or name a directory below it");
    }
}

/// True when the caller's mount takes the place of a standard one: at the same path, or a /dev of
/// the caller's own, which brings what is below it.
bool replaces(const oci::Mount& callers, const oci::Mount& standard) {
    return callers.destination == standard.destination ||
           (callers.destination == "/dev" && standard.destination.starts_with("/dev/"));
}

/// Over the link that images have there, and not over the zone that it leads to.
void add_time_zone(std::vector<oci::Mount>& mounts, const std::string& file) {
    constexpr const char* place = "/etc/localtime";
    if (std::ranges::contains(mounts, place, &oci::Mount::destination)) {
        throw Error("two mounts at one place").at(place).mend("drop --tz, or the other one");
    }
    mounts.push_back({.destination = place,
                      .type = "bind",
                      .source = file,
                      .options = {"bind", "cover-symlink", "ro", "nosuid", "nodev", "noexec"}});
}

} // namespace

void add_mounts(plan::Request& request,
                const MountFlags& flags,
                bool privileged,
                const RootfsFacts& facts) {
    auto mounts = standard_mounts(request.spec, flags, privileged);
    auto all = callers_mounts(flags, facts);
    tell_missing_volumes(facts.image_process);
    for (CallersMount& callers : all) {
        oci::Mount& mount = callers.mount;
        std::erase_if(mounts, [&](const oci::Mount& other) { return replaces(mount, other); });
        if (callers.volume || callers.image) {
            map_volume(callers, request.spec, facts);
        }
        if (callers.volume) {
            request.volumes.push_back({.name = callers.volume->name,
                                       .destination = mount.destination,
                                       .owner = callers.owner,
                                       .copy_up = callers.volume->copy_up});
        }
        if (callers.chown) {
            refuse_to_give(mount.source);
            const auto& [uid, gid] = owner_ids(mount, request.spec, facts);
            request.chowns.push_back({.path = mount.source, .uid = uid, .gid = gid});
        }
        mounts.push_back(std::move(mount));
    }
    if (std::ranges::contains(request.volumes, facts.volume_owner, &plan::VolumeUse::owner) &&
        !facts.volume_owner.empty()) {
        request.volume_owner = facts.volume_owner;
        request.spec.annotations[volume_owner_annotation] = facts.volume_owner;
    }
    if (!facts.time_zone_file.empty()) {
        add_time_zone(mounts, facts.time_zone_file);
    }
    // A mount comes before those below it, whatever the order of the flags.
    std::ranges::stable_sort(mounts, {}, [](const oci::Mount& mount) {
        return std::ranges::count(mount.destination, '/');
    });
    request.spec.mounts = std::move(mounts);
}

namespace {

/// The label that lets in whom `sharing` says. Source: podman-run(1), --volume.
std::string volume_label(Sharing sharing, const oci::Spec& spec, const std::string& flag) {
    if (sharing == Sharing::all) {
        return "system_u:object_r:container_file_t:s0";
    }
    if (spec.linux.mount_label.empty()) {
        throw Error("a volume of this container alone needs a SELinux label of its own")
            .at(flag)
            .mend(
                "add --security-opt label=level:s0:c1,c2 with categories of its own, or share the "
                "volume with z");
    }
    return spec.linux.mount_label;
}

} // namespace

void add_relabels(plan::Request& request, const MountFlags& flags, const RootfsFacts& facts) {
    if (!facts.has_selinux) {
        return; // the letters mean nothing here, as in podman
    }
    const auto add = [&](Sharing sharing, const oci::Mount& mount, const std::string& flag) {
        if (sharing != Sharing::none) {
            request.relabels.push_back(
                {.path = mount.source, .label = volume_label(sharing, request.spec, flag)});
        }
    };
    for (const std::string& text : flags.volumes) {
        CallersMount callers = parse_volume(text, facts.working_directory);
        resolve_volume(callers, facts);
        add(volume_sharing(text), callers.mount, "--volume " + text);
    }
    for (const std::string& text : flags.mounts) {
        CallersMount callers = parse_mount(text, facts.working_directory);
        resolve_volume(callers, facts);
        add(mount_sharing(text), callers.mount, "--mount " + text);
    }
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

std::set<std::string> mounted_images(const MountFlags& flags) {
    std::set<std::string> names;
    for (const std::string& text : flags.mounts) {
        if (const CallersMount callers = parse_mount(text, "/"); callers.image) {
            names.insert(*callers.image);
        }
    }
    return names;
}

std::vector<std::pair<std::string, std::string>> bind_sources(const MountFlags& flags,
                                                              const std::string& directory) {
    std::vector<std::pair<std::string, std::string>> sources;
    sources.reserve(flags.volumes.size());
    for (const std::string& text : flags.volumes) {
        if (const CallersMount callers = parse_volume(text, directory); !callers.volume) {
            sources.emplace_back(callers.mount.source, "--volume " + text);
        }
    }
    for (const std::string& text : flags.mounts) {
        const CallersMount callers = parse_mount(text, directory);
        if (callers.mount.type == "bind" && !callers.volume) {
            sources.emplace_back(callers.mount.source, "--mount " + text);
        }
    }
    return sources;
}

} // namespace sctr::cli
