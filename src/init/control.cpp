// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/control.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace sctr::init {

namespace {

using plan::protocol::Kind;
using plan::protocol::Message;

int control_fd = plan::protocol::control_fd;

/// False when the other end is closed. By read(2), which a seccomp profile that notifies has to
/// allow for the command's sake already.
bool receive(Message& message) noexcept {
    char buffer[plan::protocol::max_message_size];
    ssize_t size = 0;
    do {
        size = ::read(control_fd, buffer, sizeof buffer);
    } while (size < 0 && errno == EINTR);
    require(size >= 0 || errno == ECONNRESET, "cannot hear from the host side");
    if (size <= 0) {
        return false;
    }
    if (!plan::codec::decode({buffer, static_cast<std::size_t>(size)}, message)) {
        fail({.what = "damaged message from the host side"}, EBADMSG);
    }
    return true;
}

bool send_packet(std::string& bytes, int fd) noexcept {
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
    ssize_t size = 0;
    do {
        size = ::sendmsg(control_fd, &packet, MSG_NOSIGNAL);
    } while (size < 0 && errno == EINTR);
    return size >= 0;
}

void send_message(const Message& message, int fd) noexcept {
    std::string bytes = plan::codec::encode(message);
    (void)send_packet(bytes, fd); // a host side that is gone needs no message
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

std::optional<Packet> receive_packet(int socket) noexcept {
    char buffer[plan::protocol::max_message_size];
    alignas(struct cmsghdr) char control[CMSG_SPACE(plan::protocol::hook_file_count * sizeof(int))];
    struct iovec data{buffer, sizeof buffer};
    struct msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = 0;
    do {
        size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    require(size >= 0 || errno == ECONNRESET, "cannot hear from the host side");
    if (size <= 0) {
        return std::nullopt;
    }
    Packet packet{.message = {}, .files = passed_files(header)};
    if (!plan::codec::decode({buffer, static_cast<std::size_t>(size)}, packet.message)) {
        fail({.what = "damaged message from the host side"}, EBADMSG);
    }
    return packet;
}

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

void await(Kind kind) noexcept {
    Message message;
    if (!receive(message)) {
        ::_exit(125);
    }
    if (message.kind != kind) {
        fail({.what = "unexpected message from the host side"}, EPROTO);
    }
}

std::vector<UniqueFd> await_go() noexcept {
    auto packet = receive_packet(control_fd);
    if (!packet) {
        ::_exit(125);
    }
    if (packet->message.kind != Kind::go) {
        fail({.what = "unexpected message from the host side"}, EPROTO);
    }
    return std::move(packet->files);
}

SeccompHandover::SeccompHandover() noexcept {
    Message message;
    message.kind = Kind::seccomp_listener;
    bytes_ = plan::codec::encode(message);
}

void SeccompHandover::hand_over(int listener) noexcept {
    if (!send_packet(bytes_, listener)) {
        ::_exit(125); // the host side, which waits for it, says why
    }
    await(Kind::listener_taken);
    // Else whoever answers could end, and this process would wait for itself.
    ::close(listener);
}

void await_start(int listener) noexcept {
    send(Kind::created);
    for (;;) {
        const int caller = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (caller < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        require(caller >= 0 && ::dup3(caller, control_fd, O_CLOEXEC) >= 0,
                "cannot take the connection of the one who starts");
        ::close(caller);
        // One who is killed before it has asked has not started anything.
        Message message;
        if (receive(message) && message.kind == Kind::start) {
            ::close(listener);
            return;
        }
    }
}

int control_socket() noexcept {
    return control_fd;
}

void set_control_socket(int fd) noexcept {
    control_fd = fd;
}

void send(Kind kind, int fd) noexcept {
    Message message;
    message.kind = kind;
    send_message(message, fd);
}

} // namespace sctr::init
