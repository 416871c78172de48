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
#include <sstream>

#include "base/error.hpp"
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

void map_ids(int mount, const HostTree& tree, int user_namespace) {
    struct mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    const unsigned flags = AT_EMPTY_PATH | (tree.id_map->recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (::mount_setattr(mount, "", flags, &attributes, sizeof attributes) == 0) {
        return;
    }
    const int error_number = errno;
    Error error("cannot map the ids of the mount");
    error.at(tree.where).because(error_number);
    if (error_number == EINVAL) {
        error.because("this kernel does not do that for its file system");
    } else if (error_number == EPERM) {
        error.because("it is id-mapped already, or its file system is not the host's own");
    }
    throw error;
}

/// Makes a device node where nobody else sees it: on a tmpfs that is the child's while it makes it.
class NodeMaker {
  public:
    explicit NodeMaker(pid_t init) : uids_(init, "uid_map"), gids_(init, "gid_map") {}

    UniqueFd make(const HostTree& tree) {
        open();
        const std::string name = std::to_string(count_++);
        const plan::DeviceStep& device = *tree.device;
        if (::mknodat(directory_.get(), name.c_str(), device.mode, device.device) < 0) {
            if (errno != EPERM) {
                throw Error("cannot make a device").at(tree.where).because(errno);
            }
            return bind_hosts_own(tree); // we are in a user namespace ourselves
        }
        if (::fchownat(directory_.get(), name.c_str(), uids_(device.uid), gids_(device.gid), 0) <
            0) {
            throw Error("cannot set the owner of a device").at(tree.where).because(errno);
        }
        UniqueFd node(
            ::open_tree(directory_.get(), name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        if (!node.valid()) {
            throw Error("cannot bind a device").at(tree.where).because(errno);
        }
        return node;
    }

    /// Takes the tmpfs away; the nodes live on in their mounts.
    void close() {
        if (directory_.valid() &&
            (::fchdir(directory_.get()) < 0 || ::umount2(".", MNT_DETACH) < 0)) {
            throw Error("cannot detach the tmpfs of the devices").because(errno);
        }
        directory_.reset();
    }

  private:
    void open() {
        if (directory_.valid()) {
            return;
        }
        const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
        (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "tmpfs", 0);
        directory_ = UniqueFd(
            ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0
                ? -1
                : ::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
        // Kernels before 6.15 clone only from what is attached. On the root nobody looks it up.
        if (!directory_.valid() ||
            ::move_mount(directory_.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
            throw Error("cannot mount a tmpfs for the devices").because(errno);
        }
    }

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

    IdsOf uids_;
    IdsOf gids_;
    UniqueFd directory_;
    unsigned count_ = 0;
};

void send_all(int socket, const std::vector<HostTree>& trees, const sys::Child& init) {
    std::vector<UniqueFd> maps;
    maps.reserve(trees.size());
    for (const HostTree& tree : trees) {
        maps.push_back(!tree.id_map                   ? UniqueFd()
                       : tree.id_map->uid_map.empty() ? open_user_namespace(init.pid())
                                                      : make_user_namespace(*tree.id_map));
    }
    NodeMaker nodes(init.pid()); // reads the id maps, from a /proc of the host's own
    if (::setns(init.pidfd(), CLONE_NEWNS) < 0) {
        throw Error("cannot enter the container's mount namespace").because(errno);
    }
    ::umask(0);
    std::vector<UniqueFd> opened;
    for (std::size_t i = 0; i < trees.size(); ++i) {
        const HostTree& tree = trees[i];
        const unsigned flags = (tree.recursive ? unsigned{AT_RECURSIVE} : 0U) |
                               (tree.no_follow ? unsigned{AT_SYMLINK_NOFOLLOW} : 0U);
        opened.push_back(tree.device ? nodes.make(tree)
                                     : clone_tree(tree.source.c_str(), flags, tree));
        // Nobody else follows: in a user namespace every mount is a slave of the host's.
        if (tree.attach &&
            ::move_mount(
                opened.back().get(), "", AT_FDCWD, tree.source.c_str(), MOVE_MOUNT_F_EMPTY_PATH) <
                0) {
            throw Error("cannot attach the rootfs").at(tree.where).because(errno);
        }
        if (tree.id_map) {
            map_ids(opened.back().get(), tree, maps[i].get());
        }
    }
    nodes.close();
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
