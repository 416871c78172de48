// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/mounts.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "init/control.hpp"
#include "init/copy_up.hpp"
#include "init/filesystem.hpp"
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
    if (::mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) < 0) {
        const int error_number = errno;
        const bool is_locked = error_number == EPERM && clear != 0;
        fail({.what = "cannot set mount attributes",
              .where = where,
              .why = is_locked ? "a user namespace cannot lift what the host's mount forbids" : ""},
             error_number);
    }
}

void attach(int mount, int target, const std::string& where) noexcept {
    require(
        ::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0,
        "cannot attach mount",
        where);
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
    if (step.cover_symlink && !S_ISDIR(info.st_mode)) {
        if (UniqueFd link = open_symlink(root, step.target); link.valid()) {
            return link;
        }
    }
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

void enter_root(int root, bool no_pivot) noexcept {
    require(::fchdir(root) == 0, "cannot enter the rootfs");
    if (no_pivot) {
        // Only for roots that pivot_root refuses (an initramfs): the host's tree stays reachable
        // for whoever holds CAP_SYS_CHROOT, so it is not the default.
        require(::mount(".", "/", nullptr, MS_MOVE, nullptr) == 0, "cannot move the rootfs to /");
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

} // namespace

UniqueFd clone_tree(const plan::MountStep& step) noexcept {
    UniqueFd mount(::open_tree(AT_FDCWD,
                               step.source.c_str(),
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                   (step.recursive ? unsigned{AT_RECURSIVE} : 0U) |
                                   (step.copy_symlink ? unsigned{AT_SYMLINK_NOFOLLOW} : 0U)));
    require(mount.valid(), "cannot bind", describe(step));
    return mount;
}

UniqueFd mount_rootfs(const plan::InitPlan& plan) noexcept {
    // Slave first: nothing may travel from here to the host, and the clone below must not either.
    require(::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0,
            "cannot make the mount namespace's tree a slave of the host's");
    if (plan.rootfs_fd >= 0) {
        UniqueFd attached(plan.rootfs_fd);
        set_attributes(attached.get(), AT_RECURSIVE, 0, 0, MS_PRIVATE, plan.rootfs);
        return attached;
    }
    const UniqueFd place(::open(plan.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    require(place.valid(), "cannot open the rootfs", plan.rootfs);
    if (!plan.overlay.lower.empty()) {
        UniqueFd overlay = make_overlay(plan.overlay);
        attach(overlay.get(), place.get(), plan.rootfs);
        return overlay;
    }
    UniqueFd tree(
        ::open_tree(place.get(),
                    "",
                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | unsigned{AT_RECURSIVE}));
    require(tree.valid(), "cannot bind the rootfs", plan.rootfs);
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

bool has_option(const plan::MountStep& step, std::string_view start) noexcept {
    return std::ranges::any_of(
        step.data, [start](const std::string& option) { return option.starts_with(start); });
}

/// A tmpfs over a directory looks as that one did, unless told otherwise, as with runc and crun.
UniqueFd make_tmpfs(int root, plan::MountStep step, const std::string& where) noexcept {
    const UniqueFd below = open_path(root, step.target, symlinks_for(step));
    struct stat info{};
    if (below.valid() && !has_option(step, "mode=") && ::fstat(below.get(), &info) == 0) {
        char mode[16];
        std::snprintf(mode, sizeof mode, "mode=%04o", info.st_mode & 07777U);
        step.data.emplace_back(mode);
    }
    return make_filesystem(step, where);
}

UniqueFd open_mount(int root, const plan::MountStep& step, const std::string& where) noexcept {
    if (step.tree_fd >= 0) {
        return UniqueFd(step.tree_fd);
    }
    if (step.kind == plan::MountKind::bind) {
        return clone_tree(step);
    }
    return step.fstype == "tmpfs" ? make_tmpfs(root, step, where) : make_filesystem(step, where);
}

void copy_target_up(int root,
                    int mount,
                    const plan::MountStep& step,
                    const std::string& where) noexcept {
    constexpr const char* failure = "cannot copy into the new tmpfs";
    const UniqueFd below = open_path(root, step.target, symlinks_for(step));
    if (!below.valid()) {
        require(errno == ENOENT, failure, where);
        return;
    }
    const UniqueFd tmpfs(::openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat asked{};
    require(tmpfs.valid() && ::fstat(tmpfs.get(), &asked) == 0, failure, where);
    copy_up(below.get(), tmpfs.get(), step.target);
    const bool has_owner = has_option(step, "uid=") || has_option(step, "gid=");
    require(!has_owner || ::fchown(tmpfs.get(), asked.st_uid, asked.st_gid) == 0, failure, where);
    require(!has_option(step, "mode=") || ::fchmod(tmpfs.get(), asked.st_mode & 07777U) == 0,
            failure,
            where);
}

/// For a source that is a symlink: a link to the same place instead of a mount. False for another.
bool copy_symlink(int root,
                  int mount,
                  const plan::MountStep& step,
                  const std::string& where) noexcept {
    char wanted[PATH_MAX];
    const ssize_t size = ::readlinkat(mount, "", wanted, sizeof wanted - 1);
    if (size < 0) {
        return false;
    }
    wanted[size] = 0;
    const UniqueFd parent = make_directory(root, parent_of(step.target), symlinks_for(step));
    require(parent.valid(), "cannot make the directory of a link", where);
    const std::string name = name_of(step.target);
    if (::symlinkat(wanted, parent.get(), name.c_str()) == 0) {
        return true;
    }
    require(errno == EEXIST, "cannot make a link", where);
    char found[PATH_MAX];
    const ssize_t length = ::readlinkat(parent.get(), name.c_str(), found, sizeof found);
    if (std::string_view(found, static_cast<std::size_t>(std::max<ssize_t>(length, 0))) != wanted) {
        fail({.what = "cannot copy the symbolic link",
              .where = where,
              .why = "something else is there"},
             0);
    }
    return true;
}

/// The host's own mount, with all below it, which must not be more writable than what was asked
/// for.
plan::MountStep bind_instead(const plan::MountStep& step) noexcept {
    plan::MountStep bind = step;
    bind.kind = plan::MountKind::bind;
    bind.source = step.bind_if_refused;
    bind.bind_if_refused.clear();
    bind.fstype.clear();
    bind.data.clear();
    bind.recursive = true;
    bind.recursive_attr_set |= step.attr_set & MOUNT_ATTR_RDONLY;
    bind.attr_clear = 0;
    bind.propagation = MS_PRIVATE | MS_REC;
    return bind;
}

} // namespace

void mount_one(int root, const plan::MountStep& step) noexcept {
    if (!step.bind_if_refused.empty() && is_refused(step)) {
        mount_one(root, bind_instead(step));
        return;
    }
    const std::string where = describe(step);
    if (step.kind == plan::MountKind::remount) {
        const UniqueFd target = open_path(root, step.target, symlinks_for(step));
        require(target.valid(), "cannot remount", where);
        reconfigure_filesystem(target.get(), step, where);
        set_step_attributes(target.get(), step, where);
        set_propagation(target.get(), step, where);
        return;
    }
    const UniqueFd mount = open_mount(root, step, where);
    if (step.copy_symlink && copy_symlink(root, mount.get(), step, where)) {
        return;
    }
    if (step.copy_up) {
        copy_target_up(root, mount.get(), step, where);
    }
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

void finish_root(int root, const plan::InitPlan& plan) noexcept {
    for (const std::string& target : plan.readonly_mounts) {
        const UniqueFd mount = open_path(root, target);
        require(mount.valid(), "cannot make read-only", target);
        set_attributes(mount.get(), 0, MOUNT_ATTR_RDONLY, 0, 0, target);
    }
    mask_paths(root, plan.masked_paths);
    protect_paths(root, plan.readonly_paths);
    if (plan.root_readonly) {
        set_attributes(root, 0, MOUNT_ATTR_RDONLY, 0, 0, "/");
    }
    enter_root(root, plan.no_pivot);
    // After pivot_root, which wants no shared mounts, and where the host is no peer any more.
    set_attributes(root,
                   (plan.root_propagation & MS_REC) != 0 ? unsigned{AT_RECURSIVE} : 0U,
                   0,
                   0,
                   plan.root_propagation & ~std::uint64_t{MS_REC},
                   "/");
}

} // namespace sctr::init
