// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/mounts.hpp"

#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "plan/id_map.hpp"

namespace sctr::plan {

namespace {

constexpr std::uint64_t ms_rec = 0x4000;
constexpr std::uint64_t ms_unbindable = 1U << 17;
constexpr std::uint64_t ms_private = 1U << 18;
constexpr std::uint64_t ms_slave = 1U << 19;
constexpr std::uint64_t ms_shared = 1U << 20;

/// An option that sets or clears mount attributes. With an "r" before its name it does so for the
/// whole tree (runtime-spec 1.1, recursive options).
struct AttributeOption {
    std::string_view name;
    std::uint64_t set = 0;
    std::uint64_t clear = 0;
};

constexpr std::array attribute_options{
    AttributeOption{"ro", MOUNT_ATTR_RDONLY, 0},
    AttributeOption{"rw", 0, MOUNT_ATTR_RDONLY},
    AttributeOption{"nosuid", MOUNT_ATTR_NOSUID, 0},
    AttributeOption{"suid", 0, MOUNT_ATTR_NOSUID},
    AttributeOption{"nodev", MOUNT_ATTR_NODEV, 0},
    AttributeOption{"dev", 0, MOUNT_ATTR_NODEV},
    AttributeOption{"noexec", MOUNT_ATTR_NOEXEC, 0},
    AttributeOption{"exec", 0, MOUNT_ATTR_NOEXEC},
    AttributeOption{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    AttributeOption{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    AttributeOption{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    AttributeOption{"diratime", 0, MOUNT_ATTR_NODIRATIME},
    // The access time is one field of mount_attr, not flags: the whole field is cleared first.
    AttributeOption{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    AttributeOption{"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    AttributeOption{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    AttributeOption{"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    AttributeOption{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    AttributeOption{"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

struct PropagationOption {
    std::string_view name;
    std::uint64_t flags;
};

constexpr std::array propagation_options{
    PropagationOption{"private", ms_private},
    PropagationOption{"rprivate", ms_private | ms_rec},
    PropagationOption{"slave", ms_slave},
    PropagationOption{"rslave", ms_slave | ms_rec},
    PropagationOption{"shared", ms_shared},
    PropagationOption{"rshared", ms_shared | ms_rec},
    PropagationOption{"unbindable", ms_unbindable},
    PropagationOption{"runbindable", ms_unbindable | ms_rec},
};

/// Words of mount(8) that change nothing for a mount made by hand, or that kernels have given up.
constexpr std::array<std::string_view, 11> ignored_options{"defaults",
                                                           "nofail",
                                                           "_netdev",
                                                           "loud",
                                                           "silent",
                                                           "iversion",
                                                           "noiversion",
                                                           "mand",
                                                           "nomand",
                                                           "acl",
                                                           "noacl"};

/// Words for the superblock: a bind mount has no say in them, and mount(2) passes over them there.
constexpr std::array<std::string_view, 5> superblock_options{
    "sync", "async", "dirsync", "lazytime", "nolazytime"};

/// Of these there is one superblock for many mounts, whose state is not one mount's to decide.
constexpr std::array<std::string_view, 9> virtual_types{
    "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs", "ramfs", "devtmpfs"};

/// Kernels cannot label these by option; runc passes over them too.
constexpr std::array<std::string_view, 5> unlabelled_types{
    "proc", "sysfs", "cgroup", "cgroup2", "mqueue"};

const AttributeOption* find_attribute(std::string_view name) {
    const auto* found = std::ranges::find(attribute_options, name, &AttributeOption::name);
    return found == attribute_options.end() ? nullptr : found;
}

void apply(const AttributeOption& option, std::uint64_t& set, std::uint64_t& clear) {
    set = (set & ~option.clear) | option.set;
    clear = (clear & ~option.set) | option.clear;
}

bool apply_attribute(std::string_view name, MountStep& step) {
    if (const auto* option = find_attribute(name)) {
        apply(*option, step.attr_set, step.attr_clear);
        return true;
    }
    if (name.starts_with('r')) {
        if (const auto* option = find_attribute(name.substr(1))) {
            apply(*option, step.recursive_attr_set, step.recursive_attr_clear);
            return true;
        }
    }
    return false;
}

bool is_known_word(std::string_view option) {
    // crun has an "r" form of each word.
    const std::string_view plain = option.starts_with('r') ? option.substr(1) : option;
    return std::ranges::contains(ignored_options, option) ||
           std::ranges::contains(ignored_options, plain) || is_id_map_option(std::string(option));
}

bool is_superblock_word(std::string_view option) {
    return std::ranges::contains(superblock_options, option) ||
           (option.starts_with('r') && std::ranges::contains(superblock_options, option.substr(1)));
}

/// Options of a tmpfs, which engines leave on a mount that they have made a bind mount of: the
/// kernel ignores a bind mount's data.
bool is_tmpfs_option(std::string_view option) {
    constexpr std::array<std::string_view, 5> keys{"mode", "size", "uid", "gid", "nr_inodes"};
    const std::size_t end = option.find('=');
    return end != std::string_view::npos && std::ranges::contains(keys, option.substr(0, end));
}

std::uint64_t propagation_flags(std::string_view word) {
    const auto* found = std::ranges::find(propagation_options, word, &PropagationOption::name);
    return found == propagation_options.end() ? 0 : found->flags;
}

void apply_option(const std::string& option, MountStep& step) {
    if (option == "bind" || option == "rbind") {
        if (step.kind != MountKind::remount) {
            step.kind = MountKind::bind;
        }
        step.recursive = step.recursive || option == "rbind";
    } else if (option == "remount") {
        step.kind = MountKind::remount;
    } else if (option == "tmpcopyup") {
        step.copy_up = true;
    } else if (option == "copy-symlink") {
        step.copy_symlink = true;
    } else if (option == "cover-symlink") {
        step.cover_symlink = true;
    } else if (const std::uint64_t flags = propagation_flags(option); flags != 0) {
        step.propagation = flags;
    } else if (!apply_attribute(option, step) && !is_known_word(option)) {
        step.data.push_back(option);
    }
}

/// Some write several options into one string, which the kernel has always cut at commas; quotes
/// and backslashes protect them (SELinux contexts, overlay's layers).
std::vector<std::string> split_option(const std::string& text) {
    std::vector<std::string> parts(1);
    bool is_quoted = false;
    bool is_escaped = false;
    for (const char letter : text) {
        if (letter == ',' && !is_quoted && !is_escaped) {
            parts.emplace_back();
            continue;
        }
        is_quoted = is_quoted != (letter == '"' && !is_escaped);
        is_escaped = letter == '\\' && !is_escaped;
        parts.back() += letter;
    }
    return parts;
}

/// A destination as a clean absolute path, as runc cleans it; old configs have relative ones, which
/// mean "below /".
std::string clean_target(const std::string& destination) {
    std::string path = std::filesystem::path("/" + destination).lexically_normal().string();
    if (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    return path;
}

bool has_key(const MountStep& step, std::string_view key) {
    return std::ranges::any_of(step.data, [key](const std::string& option) {
        return option.substr(0, option.find('=')) == key;
    });
}

void finish_bind(const std::string& pointer, std::uint64_t default_propagation, MountStep& step) {
    step.fstype.clear();
    std::erase_if(step.data, is_superblock_word);
    std::erase_if(step.data, is_tmpfs_option);
    if (!step.data.empty()) {
        throw Error("unknown option '" + step.data.front() + "' of a bind mount").at(pointer);
    }
    if (step.propagation == 0) {
        step.propagation = default_propagation;
    }
}

void finish_filesystem(const std::string& pointer, const std::string& label, MountStep& step) {
    if (step.fstype.empty()) {
        throw Error("mount without a type").at(pointer).mend("give a type, or the option bind");
    }
    if ((step.attr_set & MOUNT_ATTR_RDONLY) != 0 &&
        !std::ranges::contains(virtual_types, step.fstype)) {
        step.data.emplace_back("ro"); // or a read-only disk could not be mounted
    }
    if (!label.empty() && !std::ranges::contains(unlabelled_types, step.fstype) &&
        !has_key(step, "context")) {
        step.data.push_back("context=\"" + label + "\"");
    }
    if (step.fstype == "cgroup" || step.fstype == "cgroup2") {
        step.kind = MountKind::cgroup;
        step.fstype = "cgroup2"; // the only hierarchy there is; "cgroup" is the spec's word for it
        step.data.clear();
    }
}

/// What goes for a bind mount without a word about it: as runc, what goes for the root.
std::uint64_t default_propagation(const oci::Spec& spec) {
    const std::uint64_t root = propagation_flags(spec.linux.rootfs_propagation);
    return ((root & (ms_slave | ms_shared)) != 0 ? root : ms_private) | ms_rec;
}

MountStep make_step(const oci::Mount& mount,
                    const oci::Spec& spec,
                    const std::string& label,
                    const std::string& pointer) {
    MountStep step;
    step.source = mount.source;
    step.target = clean_target(mount.destination);
    step.fstype = mount.type;
    if (mount.type == "bind" || mount.type == "rbind") {
        step.kind = MountKind::bind;
        step.recursive = mount.type == "rbind";
    }
    for (const std::string& option : mount.options) {
        for (const std::string& word : split_option(option)) {
            if (!word.empty()) {
                apply_option(word, step);
            }
        }
    }
    const bool is_id_mapped =
        !mount.uid_mappings.empty() || std::ranges::any_of(mount.options, is_id_map_option);
    const bool is_overlay = step.kind == MountKind::filesystem && step.fstype == "overlay";
    if (is_id_mapped && step.kind != MountKind::bind && !is_overlay) {
        throw Error("only a bind mount or an overlay can be id-mapped").at(pointer);
    }
    if (step.copy_up && (step.kind != MountKind::filesystem || step.fstype != "tmpfs")) {
        throw Error("only a tmpfs can be filled by tmpcopyup").at(pointer);
    }
    if (step.copy_symlink && step.kind != MountKind::bind) {
        throw Error("only a bind mount has a symlink to copy").at(pointer);
    }
    switch (step.kind) {
    case MountKind::bind:
        finish_bind(pointer, default_propagation(spec), step);
        break;
    case MountKind::filesystem:
    case MountKind::cgroup:
        finish_filesystem(pointer, label, step);
        break;
    case MountKind::remount:
        if (std::ranges::contains(mount.options, "bind") || mount.type == "bind") {
            finish_bind(pointer, 0, step);
        }
        break;
    }
    return step;
}

struct NodeOfEveryContainer {
    const char* path;
    unsigned major;
    unsigned minor;
};

constexpr std::array default_nodes{
    NodeOfEveryContainer{"/dev/null", 1, 3},
    NodeOfEveryContainer{"/dev/zero", 1, 5},
    NodeOfEveryContainer{"/dev/full", 1, 7},
    NodeOfEveryContainer{"/dev/random", 1, 8},
    NodeOfEveryContainer{"/dev/urandom", 1, 9},
    NodeOfEveryContainer{"/dev/tty", 5, 0},
};

DeviceStep device_step(const oci::Device& device) {
    DeviceStep step;
    step.path = device.path;
    const mode_t type = device.type == "b" ? S_IFBLK : device.type == "p" ? S_IFIFO : S_IFCHR;
    step.mode = type | (device.file_mode.value_or(0666) & 07777U);
    step.device = makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
    step.uid = device.uid.value_or(0);
    step.gid = device.gid.value_or(0);
    step.must_match = true; // config-linux.md, Devices
    return step;
}

} // namespace

std::vector<MountStep> mount_steps(const oci::Spec& spec, bool has_selinux) {
    const std::string label = has_selinux ? spec.linux.mount_label : "";
    std::vector<MountStep> steps;
    steps.reserve(spec.mounts.size());
    for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
        steps.push_back(make_step(spec.mounts[i], spec, label, "/mounts/" + std::to_string(i)));
    }
    return steps;
}

std::vector<std::string> mount_option_names() {
    std::vector<std::string> names{"bind",
                                   "copy-symlink",
                                   "cover-symlink",
                                   "idmap",
                                   "rbind",
                                   "remount",
                                   "ridmap",
                                   "tmpcopyup"};
    for (const AttributeOption& option : attribute_options) {
        names.emplace_back(option.name);
        names.push_back("r" + std::string(option.name));
    }
    for (const PropagationOption& option : propagation_options) {
        names.emplace_back(option.name);
    }
    names.insert(names.end(), superblock_options.begin(), superblock_options.end());
    names.insert(names.end(), ignored_options.begin(), ignored_options.end());
    std::ranges::sort(names);
    return names;
}

void defer_readonly(InitPlan& plan) {
    for (MountStep& step : plan.mounts) {
        const bool is_filled = step.fstype == "tmpfs" || step.target == "/dev";
        if (step.kind == MountKind::filesystem && is_filled &&
            (step.attr_set & MOUNT_ATTR_RDONLY) != 0) {
            step.attr_set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
            plan.readonly_mounts.push_back(step.target);
        }
    }
}

std::uint64_t root_propagation(const oci::Spec& spec) {
    const std::uint64_t flags = propagation_flags(spec.linux.rootfs_propagation);
    return (flags & ms_private) != 0 ? 0 : flags;
}

void add_devices(const oci::Spec& spec, InitPlan& plan) {
    const bool has_host_dev = std::ranges::any_of(plan.mounts, [](const MountStep& step) {
        return step.kind == MountKind::bind && step.target == "/dev";
    });
    if (has_host_dev) {
        return;
    }
    for (const oci::Device& device : spec.linux.devices) {
        plan.devices.push_back(device_step(device));
    }
    for (const NodeOfEveryContainer& node : default_nodes) {
        if (std::ranges::find(plan.devices, node.path, &DeviceStep::path) == plan.devices.end()) {
            plan.devices.push_back({.path = node.path,
                                    .mode = S_IFCHR | 0666U,
                                    .device = makedev(node.major, node.minor)});
        }
    }
    plan.symlinks = {{"/dev/fd", "/proc/self/fd"},
                     {"/dev/stdin", "/proc/self/fd/0"},
                     {"/dev/stdout", "/proc/self/fd/1"},
                     {"/dev/stderr", "/proc/self/fd/2"},
                     {"/dev/ptmx", "pts/ptmx"}};
}

} // namespace sctr::plan
