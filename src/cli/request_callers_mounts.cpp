// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "cli/log.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_mounts.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

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

void tell_missing_volumes(const oci::ImageProcess& image) {
    for (const auto& [path, present] : image.volumes) {
        if (const std::string place = volume_place(path); is_kernels(place)) {
            log(LogLevel::warn,
                "no volume at " + place + ", which the image wants: it is the kernel's");
        }
    }
}

void add_temporary_places(std::vector<CallersMount>& mounts, const MountFlags& flags) {
    if (!flags.read_only || !flags.read_only_tmpfs) {
        return;
    }
    // Source: podman-run(1), --read-only-tmpfs.
    for (const char* const place : {"/run", "/tmp", "/var/tmp"}) {
        CallersMount temporary{.mount = parse_tmpfs(std::string(place) + ":tmpcopyup,exec")};
        const bool is_taken = std::ranges::any_of(mounts, [&](const CallersMount& callers) {
            return callers.mount.destination == temporary.mount.destination;
        });
        if (!is_taken) {
            mounts.push_back(std::move(temporary));
        }
    }
}

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
