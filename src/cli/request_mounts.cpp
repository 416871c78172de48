// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/request_mounts.hpp"

#include <fcntl.h>

#include <algorithm>

#include "cli/mount_flags.hpp"
#include "cli/values.hpp"
#include "linux/chosen_path.hpp"

namespace sctr::cli {
namespace {

using oci::NamespaceType;

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
    add_temporary_places(all, flags);
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

} // namespace sctr::cli
