// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/trees.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "init/control.hpp"
#include "init/mounts.hpp"
#include "plan/protocol.hpp"

namespace sctr::init {

namespace {

/// The next tree that the host side sends; its failure is ours.
int receive_tree(int socket) noexcept {
    auto packet = receive_packet(socket);
    if (!packet) {
        fail({.what = "the host side sent no tree to mount"}, 0);
    }
    if (packet->files.empty()) {
        fail({.what = packet->message.what}, 0);
    }
    return packet->files.front().release();
}

/// A mount that is private or a slave, with all below it: nothing that happens in the container may
/// travel, whatever becomes of the propagation of single mounts later.
void make_slave(int tree, const std::string& where) noexcept {
    struct mount_attr attributes{};
    attributes.propagation = MS_SLAVE;
    require(::mount_setattr(
                tree, "", AT_EMPTY_PATH | unsigned{AT_RECURSIVE}, &attributes, sizeof attributes) ==
                0,
            "cannot make a mount a slave of the host's",
            where);
}

} // namespace

void collect_trees(plan::InitPlan& plan) noexcept {
    for (plan::MountStep& step : plan.mounts) {
        // What is to be the host's peer must be cloned while this namespace still is.
        if (step.kind == plan::MountKind::bind && !step.from_host &&
            (step.propagation & MS_SHARED) != 0) {
            step.tree_fd = clone_tree(step).release();
        }
    }
    if (plan.tree_socket < 0) {
        return;
    }
    const UniqueFd socket(plan.tree_socket);
    require(::send(socket.get(), "", 1, MSG_NOSIGNAL) == 1, "cannot ask for the trees to mount");
    if (plan.rootfs_from_host) {
        plan.rootfs_fd = receive_tree(socket.get());
    }
    for (plan::MountStep& step : plan.mounts) {
        if (step.from_host) {
            step.tree_fd = receive_tree(socket.get());
            if ((step.propagation & MS_SHARED) == 0) {
                make_slave(step.tree_fd, step.target);
            }
        }
    }
    for (plan::DeviceStep& device : plan.devices) {
        if (device.from_host) {
            device.tree_fd = receive_tree(socket.get());
        }
    }
}

} // namespace sctr::init
