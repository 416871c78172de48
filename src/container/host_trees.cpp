// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/host_trees.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <sstream>

#include "base/error.hpp"
#include "container/mapped_overlay.hpp"
#include "container/scratch_mount.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "plan/id_map.hpp"
#include "plan/protocol.hpp"

namespace sctr::container {

namespace {

using plan::HostTree;
using plan::protocol::Message;

void send_packet(int socket, const Message& message, int fd) {
    std::string bytes = plan::codec::encode(message);
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
    struct iovec data{bytes.data(), bytes.size()};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    if (fd >= 0) {
        packet.msg_control = control.data();
        packet.msg_controllen = control.size();
        struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    // A dead sctr-init is the business of whoever started it.
    (void)::sendmsg(socket, &packet, MSG_NOSIGNAL);
}

UniqueFd open_user_namespace(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
    UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space.valid()) {
        throw Error("cannot open the user namespace").at(path).because(errno);
    }
    return space;
}

void write_map(pid_t pid, const char* file, const std::string& lines) {
    const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
    const UniqueFd map(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!map.valid() ||
        ::write(map.get(), lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
        throw Error("cannot write the id map of a mount").because(errno);
    }
}

/// A user namespace that exists for its id maps only.
UniqueFd make_user_namespace(const plan::IdMap& map) {
    const sys::Child holder = sys::fork_child(CLONE_NEWUSER, [] { ::pause(); });
    write_map(holder.pid(), "uid_map", map.uid_map);
    write_map(holder.pid(), "gid_map", map.gid_map);
    return open_user_namespace(holder.pid());
}

/// Who the host says that an id of the container is. One without a mapping stays the host's root's,
/// which the container sees as nobody's.
class IdsOf {
  public:
    IdsOf(pid_t pid, const char* file) {
        const auto text = sys::read_small_file("/proc/" + std::to_string(pid) + "/" + file);
        std::istringstream lines(text.value_or(""));
        for (oci::IdMapping line; lines >> line.container_id >> line.host_id >> line.size;) {
            map_.push_back(line);
        }
    }

    [[nodiscard]] std::uint32_t operator()(std::uint32_t id) const {
        return plan::host_id(map_, id).value_or(0);
    }

  private:
    std::vector<oci::IdMapping> map_;
};

UniqueFd clone_tree(const char* source, unsigned flags, const HostTree& tree) {
    UniqueFd clone(::open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
    if (!clone.valid()) {
        const int error_number = errno;
        Error error("cannot bind");
        error.at(tree.where).because(error_number);
        if (error_number == EINVAL && !tree.recursive) {
            error.because("in a user namespace nothing may be seen that mounts below it cover")
                .mend("use rbind");
        }
        throw error;
    }
    return clone;
}

/// Makes device nodes where nobody else sees them.
class NodeMaker {
  public:
    NodeMaker(ScratchMount& scratch, const IdsOf& uids, const IdsOf& gids)
        : scratch_(scratch), uids_(uids), gids_(gids) {}

    UniqueFd make(const HostTree& tree) {
        const int directory = scratch_.directory();
        const std::string name = scratch_.new_name();
        const plan::DeviceStep& device = *tree.device;
        if (::mknodat(directory, name.c_str(), device.mode, device.device) < 0) {
            if (errno != EPERM) {
                throw Error("cannot make a device").at(tree.where).because(errno);
            }
            return bind_hosts_own(tree); // we are in a user namespace ourselves
        }
        if (::fchownat(directory, name.c_str(), uids_(device.uid), gids_(device.gid), 0) < 0) {
            throw Error("cannot set the owner of a device").at(tree.where).because(errno);
        }
        UniqueFd node(::open_tree(directory, name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        if (!node.valid()) {
            throw Error("cannot bind a device").at(tree.where).because(errno);
        }
        return node;
    }

  private:
    static UniqueFd bind_hosts_own(const HostTree& tree) {
        struct stat info{};
        if (::stat(tree.source.c_str(), &info) < 0) {
            throw Error("cannot bind a device").at(tree.where).because(errno);
        }
        const plan::DeviceStep& device = *tree.device;
        if (info.st_rdev != device.device || (info.st_mode & S_IFMT) != (device.mode & S_IFMT)) {
            throw Error("cannot bind a device into a user namespace")
                .at(tree.where)
                .because("the host has another file there")
                .mend("give it the path that it has on the host");
        }
        return clone_tree(tree.source.c_str(), 0, tree);
    }

    ScratchMount& scratch_;
    const IdsOf& uids_;
    const IdsOf& gids_;
};

UniqueFd user_namespace_for(const HostTree& tree, pid_t init) {
    if (!tree.id_map) {
        return {};
    }
    return tree.id_map->uid_map.empty() ? open_user_namespace(init)
                                        : make_user_namespace(*tree.id_map);
}

void send_all(int socket, const std::vector<HostTree>& trees, const sys::Child& init) {
    // What is read in /proc is the host's own.
    std::vector<UniqueFd> maps;
    std::vector<std::optional<MappedOverlay>> overlays(trees.size());
    maps.reserve(trees.size());
    for (const HostTree& tree : trees) {
        maps.push_back(user_namespace_for(tree, init.pid()));
        if (tree.overlay) {
            overlays[maps.size() - 1].emplace(*tree.overlay, maps.back().get());
        }
    }
    const IdsOf uids(init.pid(), "uid_map");
    const IdsOf gids(init.pid(), "gid_map");
    if (::setns(init.pidfd(), CLONE_NEWNS) < 0) {
        throw Error("cannot enter the container's mount namespace").because(errno);
    }
    ::umask(0);
    ScratchMount scratch;
    NodeMaker nodes(scratch, uids, gids);
    std::vector<UniqueFd> opened;
    for (std::size_t i = 0; i < trees.size(); ++i) {
        const HostTree& tree = trees[i];
        const unsigned flags = (tree.recursive ? unsigned{AT_RECURSIVE} : 0U) |
                               (tree.no_follow ? unsigned{AT_SYMLINK_NOFOLLOW} : 0U);
        opened.push_back(tree.device    ? nodes.make(tree)
                         : tree.overlay ? overlays[i]->mount(scratch, uids(0), gids(0))
                                        : clone_tree(tree.source.c_str(), flags, tree));
        // Nobody else follows: in a user namespace every mount is a slave of the host's.
        if (tree.attach &&
            ::move_mount(
                opened.back().get(), "", AT_FDCWD, tree.source.c_str(), MOVE_MOUNT_F_EMPTY_PATH) <
                0) {
            throw Error("cannot attach the rootfs").at(tree.where).because(errno);
        }
        if (tree.id_map && !tree.overlay) {
            map_ids(opened.back().get(), maps[i].get(), tree.id_map->recursive, tree.where);
        }
    }
    scratch.detach();
    for (const UniqueFd& tree : opened) {
        send_packet(socket, {}, tree.get());
    }
}

/// In the child. sctr-init says with one byte that its mount namespace is there.
void serve_trees(int socket, const std::vector<HostTree>& trees, const sys::Child& init) {
    char wanted = 0;
    ssize_t size = 0;
    do {
        size = ::recv(socket, &wanted, 1, 0);
    } while (size < 0 && errno == EINTR);
    if (size != 1) {
        return; // it failed before
    }
    try {
        send_all(socket, trees, init);
    } catch (const Error& error) {
        Message message;
        message.what = error.what();
        send_packet(socket, message, -1);
    }
}

} // namespace

HostTrees::HostTrees(plan::LaunchPlan& plan) {
    if (plan.host_trees.empty()) {
        return;
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    ours_ = UniqueFd(ends[0]);
    theirs_ = sys::raise_fd(UniqueFd(ends[1]));
    plan.init.tree_socket = theirs_.get();
}

void HostTrees::serve(const std::vector<plan::HostTree>& trees, const sys::Child& init) {
    if (!ours_.valid()) {
        return;
    }
    theirs_.reset(); // or the child would not notice the end of sctr-init
    child_ = sys::fork_child(0, [&] { serve_trees(ours_.get(), trees, init); });
    ours_.reset();
}

} // namespace sctr::container
