// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/mounts.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "init/control.hpp"
#include "init/paths.hpp"
#include "linux/syscalls.hpp"

namespace sctr::init {

namespace {

void set_attributes(int mount,
                    unsigned flags,
                    std::uint64_t set,
                    std::uint64_t clear,
                    std::uint64_t propagation,
                    const std::string& where) noexcept {
    if (set == 0 && clear == 0 && propagation == 0) {
        return;
    }
    struct mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    attributes.propagation = propagation;
    require(::mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0,
            "cannot set mount attributes",
            where);
}

void attach(int mount, int target, const std::string& where) noexcept {
    require(
        ::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0,
        "cannot attach mount",
        where);
}

/// The kernel's own words for why a file system could not be made, which errno rarely tells.
std::string take_context_log(int context) {
    char line[512];
    const ssize_t size = ::read(context, line, sizeof line);
    // A line reads "e tmpfs: Bad value for 'size'": the letter is its severity.
    return size > 2 ? std::string(line + 2, static_cast<std::size_t>(size) - 2) : std::string();
}

[[noreturn]] void fail_context(int context, std::string_view what, const std::string& where) {
    const int error_number = errno;
    std::string why = take_context_log(context);
    while (!why.empty() && why.back() == '\n') {
        why.pop_back();
    }
    fail({.what = what, .where = where, .why = why}, error_number);
}

UniqueFd make_filesystem(const plan::MountStep& step, const std::string& where) noexcept {
    const UniqueFd context(::fsopen(step.fstype.c_str(), FSOPEN_CLOEXEC));
    require(context.valid(), "cannot mount: no such file system type", where);
    if (!step.source.empty()) {
        // Some file systems refuse a source; what they show in mountinfo is not worth failing for.
        (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", step.source.c_str(), 0);
    }
    for (const std::string& option : step.data) {
        const std::size_t equals = option.find('=');
        const std::string key = option.substr(0, equals);
        const int result =
            equals == std::string::npos
                ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                : ::fsconfig(context.get(),
                             FSCONFIG_SET_STRING,
                             key.c_str(),
                             option.c_str() + equals + 1,
                             0);
        if (result < 0) {
            fail_context(context.get(), "cannot mount: option '" + option + "' refused", where);
        }
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        fail_context(context.get(), "cannot mount", where);
    }
    // The attributes at once: in a user namespace the kernel wants a new procfs or sysfs to be as
    // restricted as the one that is visible.
    UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(step.attr_set)));
    if (!mount.valid()) {
        fail_context(context.get(), "cannot mount", where);
    }
    return mount;
}

/// /proc, /sys and /dev carry what protects the container: a rootfs that puts a symlink there
/// would have it mounted elsewhere (CVE-2019-19921, CVE-2023-27561, CVE-2026-41579).
Symlinks symlinks_for(const plan::MountStep& step) noexcept {
    const bool sensitive = step.fstype == "proc" || step.fstype == "sysfs" ||
                           step.target == "/proc" || step.target == "/sys" ||
                           step.target == "/dev" || step.target.starts_with("/dev/");
    return sensitive ? Symlinks::refuse : Symlinks::follow;
}

UniqueFd
open_target(int root, const plan::MountStep& step, int mount, const std::string& where) noexcept {
    struct stat info{};
    require(::fstat(mount, &info) == 0, "cannot mount", where);
    UniqueFd target = S_ISDIR(info.st_mode) ? make_directory(root, step.target, symlinks_for(step))
                                            : make_file(root, step.target, symlinks_for(step));
    if (!target.valid()) {
        const int error_number = errno;
        fail({.what = "cannot make the mount point",
              .where = where,
              .why = error_number == ELOOP
                         ? "the rootfs has a symbolic link there, which is not followed"
                         : ""},
             error_number);
    }
    struct stat place{};
    require(::fstat(target.get(), &place) == 0, "cannot mount", where);
    if (S_ISDIR(info.st_mode) != S_ISDIR(place.st_mode)) {
        fail({.what = "cannot mount",
              .where = where,
              .why = S_ISDIR(info.st_mode) ? "a directory does not go on a file"
                                           : "a file does not go on a directory"},
             0);
    }
    return target;
}

std::string describe(const plan::MountStep& step) {
    const std::string& from = step.kind == plan::MountKind::bind ? step.source : step.fstype;
    return step.target + " (" + from + ")";
}

/// An empty read-only tmpfs over a directory, /dev/null over a file; what does not exist is passed
/// over. Source: config-linux.md, Masked Paths.
void mask_paths(int root, const std::vector<std::string>& paths) noexcept {
    UniqueFd empty; // the first masked directory's tmpfs, which the others share
    for (const std::string& path : paths) {
        const UniqueFd target = open_path(root, path);
        if (!target.valid() && (errno == ENOENT || errno == ENOTDIR)) {
            continue;
        }
        require(target.valid(), "cannot mask", path);
        struct stat info{};
        require(::fstat(target.get(), &info) == 0, "cannot mask", path);
        UniqueFd cover;
        if (!S_ISDIR(info.st_mode)) {
            cover =
                UniqueFd(::open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
            require(cover.valid() && ::fstat(cover.get(), &info) == 0, "cannot mask", path);
            if (!S_ISCHR(info.st_mode) || info.st_rdev != ::makedev(1, 3)) {
                fail({.what = "cannot mask",
                      .where = path,
                      .why = "the host's /dev/null is not the null device (char 1:3)"},
                     0);
            }
        } else if (empty.valid()) {
            cover = UniqueFd(
                ::open_tree(empty.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
        } else {
            plan::MountStep tmpfs;
            tmpfs.fstype = "tmpfs";
            tmpfs.source = "tmpfs";
            tmpfs.data = {"size=0", "nr_inodes=1", "mode=555"};
            cover = make_filesystem(tmpfs, path);
            set_attributes(cover.get(),
                           0,
                           MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                               MOUNT_ATTR_NOEXEC,
                           0,
                           0,
                           path);
        }
        require(cover.valid(), "cannot mask", path);
        set_attributes(cover.get(), 0, 0, 0, MS_PRIVATE, path);
        attach(cover.get(), target.get(), path);
        if (S_ISDIR(info.st_mode) && !empty.valid()) {
            empty = std::move(cover);
        }
    }
}

/// Existing paths with everything mounted below. Source: config-linux.md, Readonly Paths.
void protect_paths(int root, const std::vector<std::string>& paths) noexcept {
    for (const std::string& path : paths) {
        const UniqueFd target = open_path(root, path);
        if (!target.valid() && (errno == ENOENT || errno == ENOTDIR)) {
            continue;
        }
        require(target.valid(), "cannot make read-only", path);
        const UniqueFd cover(::open_tree(target.get(),
                                         "",
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                                             unsigned{AT_RECURSIVE}));
        require(cover.valid(), "cannot make read-only", path);
        set_attributes(cover.get(), AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0, path);
        attach(cover.get(), target.get(), path);
    }
}

void enter_root(int root, const plan::InitPlan& plan) noexcept {
    require(::fchdir(root) == 0, "cannot enter the rootfs");
    if (plan.no_pivot) {
        // Only for roots that pivot_root refuses (an initramfs): the host's tree stays reachable
        // for whoever holds CAP_SYS_CHROOT, so it is not the default.
        require(plan.rootfs_from_host || ::mount(".", "/", nullptr, MS_MOVE, nullptr) == 0,
                "cannot move the rootfs to /");
        require(::chroot(".") == 0 && ::chdir("/") == 0, "cannot chroot");
        return;
    }
    const UniqueFd host_root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    require(host_root.valid(), "cannot open the host's root");
    if (sys::pivot_root(".", ".") < 0) {
        const int error_number = errno;
        fail({.what = "cannot pivot_root",
              .why = error_number == EINVAL ? "the host's root is an initramfs or shared; "
                                              "--no-pivot works there and isolates less"
                                            : ""},
             error_number);
    }
    require(::fchdir(host_root.get()) == 0, "cannot return to the host's root");
    require(::umount2(".", MNT_DETACH) == 0, "cannot detach the host's root");
    require(::chdir("/") == 0, "cannot enter the new root");
}

UniqueFd open_rootfs(const plan::InitPlan& plan, int place) noexcept {
    if (plan.rootfs_fd >= 0) {
        return UniqueFd(plan.rootfs_fd);
    }
    UniqueFd tree(::open_tree(
        place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | unsigned{AT_RECURSIVE}));
    require(tree.valid(), "cannot bind the rootfs", plan.rootfs);
    return tree;
}

} // namespace

UniqueFd clone_tree(const plan::MountStep& step) noexcept {
    UniqueFd mount(::open_tree(AT_FDCWD,
                               step.source.c_str(),
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                   (step.recursive ? unsigned{AT_RECURSIVE} : 0U)));
    require(mount.valid(), "cannot bind", describe(step));
    return mount;
}

UniqueFd mount_rootfs(const plan::InitPlan& plan) noexcept {
    // Slave first: nothing may travel from here to the host, and the clone below must not either.
    require(::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0,
            "cannot make the mount namespace's tree a slave of the host's");
    // The directories above a tree of the host side may be closed to us; the root is not.
    const char* path = plan.rootfs_fd >= 0 ? "/" : plan.rootfs.c_str();
    const UniqueFd place(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    require(place.valid(), "cannot open the rootfs", plan.rootfs);
    UniqueFd tree = open_rootfs(plan, place.get());
    set_attributes(tree.get(), AT_RECURSIVE, 0, 0, MS_PRIVATE, plan.rootfs);
    attach(tree.get(), place.get(), plan.rootfs);
    return tree;
}

namespace {

void set_step_attributes(int mount,
                         const plan::MountStep& step,
                         const std::string& where) noexcept {
    set_attributes(mount, 0, step.attr_set, step.attr_clear, 0, where);
    set_attributes(
        mount, AT_RECURSIVE, step.recursive_attr_set, step.recursive_attr_clear, 0, where);
}

void set_propagation(int mount, const plan::MountStep& step, const std::string& where) noexcept {
    const bool recursive = (step.propagation & MS_REC) != 0;
    set_attributes(mount,
                   recursive ? unsigned{AT_RECURSIVE} : 0U,
                   0,
                   0,
                   step.propagation & ~std::uint64_t{MS_REC},
                   where);
}

} // namespace

void mount_one(int root, const plan::MountStep& step) noexcept {
    const std::string where = describe(step);
    if (step.kind == plan::MountKind::remount) {
        const UniqueFd target = open_path(root, step.target, symlinks_for(step));
        require(target.valid(), "cannot remount", where);
        set_step_attributes(target.get(), step, where);
        set_propagation(target.get(), step, where);
        return;
    }
    const UniqueFd mount = step.tree_fd >= 0                    ? UniqueFd(step.tree_fd)
                           : step.kind == plan::MountKind::bind ? clone_tree(step)
                                                                : make_filesystem(step, where);
    set_step_attributes(mount.get(), step, where);
    const UniqueFd target = open_target(root, step, mount.get(), where);
    attach(mount.get(), target.get(), where);
    // After attaching: a detached mount cannot join a peer group of the tree it lands in.
    set_propagation(mount.get(), step, where);
}

std::vector<plan::MountStep>
mount_all_but_cgroup(int root, const std::vector<plan::MountStep>& mounts) noexcept {
    std::vector<plan::MountStep> later;
    for (const plan::MountStep& step : mounts) {
        bool wait = step.kind == plan::MountKind::cgroup;
        for (const plan::MountStep& earlier : later) {
            wait = wait || step.target == earlier.target ||
                   step.target.starts_with(earlier.target + "/");
        }
        if (wait) {
            later.push_back(step);
        } else {
            mount_one(root, step);
        }
    }
    return later;
}

namespace {

/// A user namespace may not make nodes: the host side has made it, or else the host's own node, if
/// it is the same device, does as well.
void bind_device(int root, const plan::DeviceStep& device) noexcept {
    plan::MountStep bind;
    bind.kind = plan::MountKind::bind;
    bind.source = device.path;
    bind.target = device.path;
    bind.propagation = MS_PRIVATE;
    bind.tree_fd = device.tree_fd;
    struct stat info{};
    if (device.tree_fd >= 0) {
        mount_one(root, bind);
        return;
    }
    require(::stat(device.path.c_str(), &info) == 0, "cannot bind a device", device.path);
    if (info.st_rdev != device.device || (info.st_mode & S_IFMT) != (device.mode & S_IFMT)) {
        fail({.what = "cannot bind a device into a user namespace",
              .where = device.path,
              .why = "the host has another file there; give it the path that it has on the host"},
             0);
    }
    mount_one(root, bind);
}

} // namespace

void make_devices(int root, const plan::InitPlan& plan) noexcept {
    for (const plan::DeviceStep& device : plan.devices) {
        const UniqueFd parent = make_directory(root, parent_of(device.path), Symlinks::refuse);
        require(parent.valid(), "cannot make the directory of a device", device.path);
        const std::string name = name_of(device.path);
        if (device.tree_fd >= 0 && !open_path(root, device.path, Symlinks::refuse).valid()) {
            bind_device(root, device);
            continue;
        }
        if (::mknodat(parent.get(), name.c_str(), device.mode, device.device) == 0) {
            require(::fchownat(
                        parent.get(), name.c_str(), device.uid, device.gid, AT_SYMLINK_NOFOLLOW) ==
                        0,
                    "cannot set the owner of a device",
                    device.path);
            continue;
        }
        if (errno == EEXIST) {
            continue;
        }
        require(errno == EPERM, "cannot make a device", device.path);
        bind_device(root, device);
    }
    for (const plan::SymlinkStep& link : plan.symlinks) {
        const UniqueFd parent = make_directory(root, parent_of(link.path), Symlinks::refuse);
        require(parent.valid(), "cannot make the directory of a link", link.path);
        require(::symlinkat(link.target.c_str(), parent.get(), name_of(link.path).c_str()) == 0 ||
                    errno == EEXIST,
                "cannot make a link",
                link.path);
    }
}

void finish_root(int root, const plan::InitPlan& plan) noexcept {
    mask_paths(root, plan.masked_paths);
    protect_paths(root, plan.readonly_paths);
    if (plan.root_readonly) {
        set_attributes(root, 0, MOUNT_ATTR_RDONLY, 0, 0, "/");
    }
    enter_root(root, plan);
}

} // namespace sctr::init
