// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/seccomp_listener.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <format>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace sctr::container {

namespace {

using nlohmann::ordered_json;

Error cannot_send(const std::string& path) {
    Error error("cannot hand the seccomp listener over");
    error.at("listenerPath " + path);
    return error;
}

UniqueFd connect_to(const std::string& path) {
    UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // Connecting waits while the other side's queue is full.
    constexpr struct timeval patience{.tv_sec = 10, .tv_usec = 0};
    if (!connection.valid() ||
        ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        throw cannot_send(path).because(errno);
    }
    // An address has room for 107 bytes, a path may be longer.
    const UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    *std::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}", file.get())
         .out = '\0';
    if (!file.valid() || ::connect(connection.get(),
                                   reinterpret_cast<const struct sockaddr*>(&address),
                                   sizeof address) != 0) {
        throw cannot_send(path).because(errno == EAGAIN ? ETIMEDOUT : errno);
    }
    return connection;
}

/// One sendmsg; with an fd of 0 or more, which goes with the first byte.
ssize_t send_some(int connection, std::string_view text, int fd) {
    struct iovec data{const_cast<char*>(text.data()), text.size()};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    if (fd >= 0) {
        packet.msg_control = control;
        packet.msg_controllen = sizeof control;
        struct cmsghdr* const header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return ::sendmsg(connection, &packet, MSG_NOSIGNAL);
}

} // namespace

bool is_notified(const plan::SeccompStep& seccomp) {
    return (seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
}

std::string
container_process_state(const oci::Spec& config, const Record& record, Status status, pid_t pid) {
    ordered_json state = {
        {"ociVersion", config.oci_version},
        {"id", record.id},
        {"status", to_string(status)},
        {"pid", record.pid},
        {"bundle", record.bundle},
    };
    if (!config.annotations.empty()) {
        state["annotations"] = config.annotations;
    }
    ordered_json text = {
        {"ociVersion", config.oci_version},
        {"fds", {"seccompFd"}},
        {"pid", pid},
    };
    if (config.linux.seccomp && !config.linux.seccomp->listener_metadata.empty()) {
        text["metadata"] = config.linux.seccomp->listener_metadata;
    }
    text["state"] = std::move(state);
    return text.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void send_listener(const oci::Seccomp& seccomp, const std::string& state, int fd) {
    const UniqueFd connection = connect_to(seccomp.listener_path);
    std::string_view rest = state;
    while (!rest.empty()) {
        const ssize_t size = send_some(connection.get(), rest, fd);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            throw cannot_send(seccomp.listener_path).because(errno == EAGAIN ? ETIMEDOUT : errno);
        }
        fd = -1;
        rest.remove_prefix(static_cast<std::size_t>(size));
    }
}

std::function<void(int fd, pid_t pid)>
listener_sender(const oci::Spec& config, const Record& record, Status status) {
    return [config, record, status](int fd, pid_t pid) {
        send_listener(
            *config.linux.seccomp, container_process_state(config, record, status, pid), fd);
    };
}

} // namespace sctr::container
