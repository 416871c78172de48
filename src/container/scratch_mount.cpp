// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/scratch_mount.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::container {

int ScratchMount::directory() {
    if (directory_.valid()) {
        return directory_.get();
    }
    const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "tmpfs", 0);
    UniqueFd tmpfs(
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0
            ? -1
            : ::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    // Kernels before 6.15 clone only from what is attached. On the root nobody looks it up.
    if (!tmpfs.valid() ||
        ::move_mount(tmpfs.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        throw Error("cannot mount a tmpfs to prepare mounts in").because(errno);
    }
    directory_ = std::move(tmpfs);
    return directory_.get();
}

void ScratchMount::detach() {
    if (directory_.valid() && (::fchdir(directory_.get()) < 0 || ::umount2(".", MNT_DETACH) < 0)) {
        throw Error("cannot detach the tmpfs that mounts were prepared in").because(errno);
    }
    directory_.reset();
}

} // namespace sctr::container
