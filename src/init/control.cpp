// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/control.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace sctr::init {

namespace {

using plan::protocol::control_fd;
using plan::protocol::Kind;
using plan::protocol::Message;

void send_message(const Message& message, int fd) noexcept {
    std::string bytes = plan::codec::encode(message);
    struct iovec data{};
    data.iov_base = bytes.data();
    data.iov_len = bytes.size();
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    if (fd >= 0) {
        packet.msg_control = control;
        packet.msg_controllen = sizeof control;
        struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    while (::sendmsg(control_fd, &packet, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

std::vector<UniqueFd> passed_files(struct msghdr& packet) noexcept {
    std::vector<UniqueFd> files;
    const struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            files.emplace_back(fd);
        }
    }
    return files;
}

} // namespace

void fail(const Failure& failure, int error_number) noexcept {
    Message message;
    message.kind = Kind::failed;
    message.error_number = error_number;
    message.exit_code = failure.exit_code;
    // A packet is bounded, and a path a user gave may not be.
    message.what = failure.what.substr(0, 512);
    message.where = failure.where.substr(0, 4096);
    message.why = failure.why.substr(0, 1024);
    send_message(message, -1);
    // Alive until the host side has done with us: a process that is dead when systemd moves it
    // leaves a scope in which nobody ever was, and which therefore never ends.
    char ignored = 0;
    ssize_t size = 0;
    do {
        size = ::recv(control_fd, &ignored, 1, 0);
    } while (size > 0 || (size < 0 && errno == EINTR));
    ::_exit(failure.exit_code);
}

void require(bool ok, std::string_view what, std::string_view where) noexcept {
    if (!ok) {
        fail({.what = what, .where = where}, errno);
    }
}

void report_lack_of_memory() noexcept {
    // Made while there is memory: the handler cannot allocate.
    static std::string bytes;
    Message message;
    message.kind = Kind::failed;
    message.error_number = ENOMEM;
    message.what = "cannot set the container up";
    bytes = plan::codec::encode(message);
    std::set_new_handler([] {
        (void)::send(control_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ::_exit(125);
    });
}

std::vector<UniqueFd> await(Kind kind) noexcept {
    char buffer[plan::protocol::max_message_size];
    alignas(struct cmsghdr) char control[CMSG_SPACE(plan::protocol::hook_file_count * sizeof(int))];
    struct iovec data{buffer, sizeof buffer};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    ssize_t size = 0;
    do {
        size = ::recvmsg(control_fd, &packet, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        ::_exit(125);
    }
    std::vector<UniqueFd> files = passed_files(packet);
    Message message;
    if (!plan::codec::decode({buffer, static_cast<std::size_t>(size)}, message) ||
        message.kind != kind) {
        fail({.what = "unexpected message from the host side"}, EPROTO);
    }
    return files;
}

void send(Kind kind, int fd) noexcept {
    Message message;
    message.kind = kind;
    send_message(message, fd);
}

} // namespace sctr::init
