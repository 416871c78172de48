// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/shared_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

enum class Step : int { enter, find, judge, clone, done };

/// What the child in the other mount namespace reports; the tree comes with `done`.
struct Report {
    Step step = Step::enter;
    int error_number = 0;
};

bool is_whole_tmpfs(int place) noexcept {
    struct statfs system{};
    struct statx info{};
    return ::fstatfs(place, &system) == 0 && system.f_type == TMPFS_MAGIC &&
           ::statx(place, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) == 0 &&
           (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

void send_report(int socket, Report report, int tree) noexcept {
    struct iovec data{&report, sizeof report};
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    if (tree >= 0) {
        packet.msg_control = control.data();
        packet.msg_controllen = control.size();
        struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &tree, sizeof tree);
    }
    (void)::sendmsg(socket, &packet, MSG_NOSIGNAL);
}

/// In a child: only a process of that mount namespace may clone its mounts; open_tree(2).
[[noreturn]] void clone_in_namespace(int mount_namespace, int socket) noexcept {
    Report report;
    int tree = -1;
    if (::setns(mount_namespace, CLONE_NEWNS) == 0) {
        report.step = Step::find;
        const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd place(
            sys::openat2(root.get(),
                         "dev/shm",
                         O_PATH | O_DIRECTORY | O_CLOEXEC,
                         0,
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS));
        if (place.valid()) {
            report.step = Step::judge;
            errno = 0;
            if (is_whole_tmpfs(place.get())) {
                report.step = Step::clone;
                tree = ::open_tree(
                    place.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
                report.step = tree >= 0 ? Step::done : Step::clone;
            }
        }
    }
    report.error_number = report.step == Step::done ? 0 : errno;
    send_report(socket, report, tree);
    ::_exit(0);
}

Report receive_report(int socket, UniqueFd& tree) {
    Report report{.error_number = EPIPE};
    struct iovec data{&report, sizeof report};
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control.data();
    packet.msg_controllen = control.size();
    while (::recvmsg(socket, &packet, MSG_CMSG_CLOEXEC) < 0 && errno == EINTR) {
    }
    if (const struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
        header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        tree.reset(fd);
    }
    return report;
}

Error failure_of(const Report& report) {
    Error error("cannot share the other container's /dev/shm");
    switch (report.step) {
    case Step::enter:
        error.at("its mount namespace").because(report.error_number);
        break;
    case Step::judge:
        error.because("it is not a tmpfs of its own")
            .mend("give both containers one directory: -v DIR:/dev/shm");
        break;
    case Step::find:
    case Step::clone:
    case Step::done:
        error.because(report.error_number);
        if (report.error_number == ELOOP) {
            error.because("it is a symbolic link");
        }
        break;
    }
    return error;
}

} // namespace

UniqueFd clone_shared_memory(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/mnt";
    const UniqueFd mount_namespace(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!mount_namespace.valid()) {
        throw Error("cannot share the other container's /dev/shm").at(path).because(errno);
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        clone_in_namespace(mount_namespace.get(), theirs.get());
    }
    if (child < 0) {
        throw Error("cannot fork").because(errno);
    }
    theirs.reset();
    UniqueFd tree;
    const Report report = receive_report(ours.get(), tree);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (report.step != Step::done || !tree.valid()) {
        throw failure_of(report);
    }
    return tree;
}

} // namespace sctr::container
