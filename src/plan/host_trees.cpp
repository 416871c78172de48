// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/host_trees.hpp"

#include <sched.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/id_map.hpp"

namespace sctr::plan {

bool in_user_namespace(const LaunchPlan& plan) {
    return (plan.clone_flags & CLONE_NEWUSER) != 0 ||
           std::ranges::contains(
               plan.init.namespaces, std::uint64_t{CLONE_NEWUSER}, &NamespaceStep::clone_flag);
}

namespace {

/// What the options of a mount say. Source: the kernel's overlayfs.rst.
OverlayStep overlay_of(const std::vector<std::string>& options) {
    OverlayStep overlay;
    for (const std::string& option : options) {
        const auto [key, quoted] = split_once(option, '=');
        std::string value = quoted.value_or("");
        if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
            value = value.substr(1, value.size() - 2);
        }
        if (key == "lowerdir+") {
            overlay.lower.push_back(std::move(value));
        } else if (key == "upperdir") {
            overlay.upper = std::move(value);
        } else if (key == "workdir") {
            overlay.work = std::move(value);
        } else if (key == "volatile") {
            overlay.is_volatile = true;
        } else if (key != "ro" && key != "rw") {
            throw Error("an id-mapped overlay has no option '" + option + "'")
                .mend("layers are given one by one: lowerdir+=DIRECTORY");
        }
    }
    return overlay;
}

} // namespace

void add_host_trees(const oci::Spec& spec, const host::Facts& facts, LaunchPlan& plan) {
    // Without privileges over the host's mounts sctr-init can do no less than the host side.
    const bool everything = facts.is_root && in_user_namespace(plan);
    InitPlan& init = plan.init;
    init.rootfs_from_host = everything;
    if (everything) {
        HostTree root{
            .where = init.rootfs, .source = init.rootfs, .recursive = true, .attach = true};
        if (!init.overlay.lower.empty()) {
            root.id_map.emplace(); // the container's own
            root.overlay = std::move(init.overlay);
            init.overlay = {};
        }
        plan.host_trees.push_back(std::move(root));
    }
    for (std::size_t i = 0; i < init.mounts.size(); ++i) {
        MountStep& step = init.mounts[i];
        auto id_map = id_map_of(spec.mounts[i], spec, "/mounts/" + std::to_string(i));
        const bool is_shared_memory = plan.shared_memory_of != 0 && step.target == "/dev/shm";
        step.from_host =
            id_map || (everything && step.kind == MountKind::bind && !is_shared_memory);
        if (step.from_host) {
            plan.host_trees.push_back({.where = step.target + " (" + step.source + ")",
                                       .source = step.source,
                                       .recursive = step.recursive,
                                       .no_follow = step.copy_symlink,
                                       .id_map = std::move(id_map)});
            if (step.kind == MountKind::filesystem) {
                plan.host_trees.back().overlay = overlay_of(step.data);
            }
        }
    }
    for (DeviceStep& device : init.devices) {
        device.from_host = everything;
        if (everything) {
            plan.host_trees.push_back(
                {.where = device.path, .source = device.path, .device = device});
        }
    }
}

} // namespace sctr::plan
