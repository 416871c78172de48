// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace sctr::sys {

namespace {

/// The address of `name` in the directory of `path`, and the fd that it goes through.
struct Address {
    UniqueFd directory;
    struct sockaddr_un name{};

    Address(const std::string& path, const std::string& file)
        : directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
        const std::string text = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + file;
        if (!directory.valid() || text.size() >= sizeof name.sun_path) {
            throw Error("cannot reach the socket").at(path + "/" + file).because(errno);
        }
        name.sun_family = AF_UNIX;
        text.copy(name.sun_path, text.size());
    }

    [[nodiscard]] const struct sockaddr* get() const {
        return reinterpret_cast<const struct sockaddr*>(&name);
    }
};

} // namespace

UniqueFd listen_in(const std::string& directory, const std::string& name) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const Address address(directory, name);
    constexpr int waiting = 8;
    if (!listener.valid() || ::bind(listener.get(), address.get(), sizeof address.name) < 0 ||
        ::listen(listener.get(), waiting) < 0) {
        throw Error("cannot listen").at(directory + "/" + name).because(errno);
    }
    return listener;
}

UniqueFd connect_in(const std::string& directory, const std::string& name) {
    UniqueFd connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const Address address(directory, name);
    if (!connection.valid() ||
        ::connect(connection.get(), address.get(), sizeof address.name) < 0) {
        throw Error("cannot connect").at(directory + "/" + name).because(errno);
    }
    return connection;
}

void send_fd_to(const std::string& path, int fd, std::string_view text, const char* what) {
    const std::string::size_type slash = path.rfind('/');
    const bool is_plain = slash == std::string::npos;
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address(is_plain ? "." : path.substr(0, slash + 1),
                          is_plain ? path : path.substr(slash + 1));
    if (!socket.valid() || ::connect(socket.get(), address.get(), sizeof address.name) < 0) {
        throw Error(what).at(path).because(errno);
    }
    std::string bytes(text);
    struct iovec data{bytes.data(), bytes.size()};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    struct msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
        throw Error(what).at(path).because(errno);
    }
}

} // namespace sctr::sys
