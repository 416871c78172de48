// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/devices.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "init/control.hpp"
#include "init/mounts.hpp"
#include "init/paths.hpp"

namespace sctr::init {

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

/// Source: config-linux.md, Devices: what is there and does not match is an error. For the devices
/// that every container has the image, or a mount, may have something else on purpose.
void check_device(int parent, const std::string& name, const plan::DeviceStep& device) noexcept {
    struct stat info{};
    require(::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0,
            "cannot make a device",
            device.path);
    const bool same_type = (info.st_mode & S_IFMT) == (device.mode & S_IFMT);
    const bool same = same_type && (S_ISFIFO(info.st_mode) || info.st_rdev == device.device);
    if (device.must_match && !same) {
        fail({.what = "cannot make a device",
              .where = device.path,
              .why = "another file is there already"},
             0);
    }
}

} // namespace

void make_devices(int root, const plan::InitPlan& plan) noexcept {
    for (const plan::DeviceStep& device : plan.devices) {
        const UniqueFd parent = make_directory(root, parent_of(device.path), Symlinks::refuse);
        require(parent.valid(), "cannot make the directory of a device", device.path);
        const std::string name = name_of(device.path);
        if (device.tree_fd >= 0) {
            if (::faccessat(parent.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                ::close(device.tree_fd);
                check_device(parent.get(), name, device);
            } else {
                bind_device(root, device);
            }
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
            check_device(parent.get(), name, device);
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

void reopen_null() noexcept {
    const auto is_null = [](int fd) {
        struct stat info{};
        return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(1, 3);
    };
    for (const int fd : {0, 1, 2}) {
        if (!is_null(fd)) {
            continue;
        }
        const UniqueFd own(::open("/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
        if (own.valid() && is_null(own.get())) {
            require(::dup2(own.get(), fd) == fd, "cannot reopen /dev/null");
        }
    }
}

} // namespace sctr::init
