// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/control.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace sctr::container {

namespace {

using plan::protocol::Kind;
using plan::protocol::Message;

Error to_error(const Message& message) {
    Error error(message.what);
    if (!message.where.empty()) {
        error.at(message.where);
    }
    if (message.error_number != 0) {
        error.because(message.error_number);
    }
    if (!message.why.empty()) {
        error.because(message.why);
    }
    if (message.error_number == ENOSPC) {
        error.mend("free space on that file system, or raise the limit that is reached");
    }
    error.exit_with(static_cast<ExitCode>(message.exit_code));
    return error;
}

/// A file descriptor that came with a packet.
UniqueFd passed_fd(struct msghdr& packet) {
    const struct cmsghdr* header = CMSG_FIRSTHDR(&packet);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
        return {};
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
}

} // namespace

void Control::send(Kind kind, const std::vector<UniqueFd>& files) const {
    Message message;
    message.kind = kind;
    std::string bytes = plan::codec::encode(message);
    struct iovec data{bytes.data(), bytes.size()};
    alignas(struct cmsghdr)
        std::array<char, CMSG_SPACE(plan::protocol::hook_file_count * sizeof(int))>
            control{};
    struct msghdr packet{};
    packet.msg_iov = &data;
    packet.msg_iovlen = 1;
    if (!files.empty()) {
        packet.msg_control = control.data();
        packet.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
        auto* const header = reinterpret_cast<struct cmsghdr*>(control.data());
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
        for (std::size_t i = 0; i < files.size(); ++i) {
            const int fd = files[i].get();
            std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    // That nobody is there any more shows, with the reason, when the next packet is read.
    if (::sendmsg(socket_.get(), &packet, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
        errno != ECONNRESET && errno != ENOTCONN) {
        throw Error("cannot speak to sctr-init").because(errno);
    }
}

std::optional<Packet> Control::receive() {
    std::array<char, plan::protocol::max_message_size> buffer{};
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    struct iovec data{buffer.data(), buffer.size()};
    struct msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t size = 0;
    do {
        size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        closed_ = size == 0 || errno != EAGAIN;
        return std::nullopt;
    }
    Packet packet{.message = {}, .fd = passed_fd(message)};
    if (!plan::codec::decode({buffer.data(), static_cast<std::size_t>(size)}, packet.message)) {
        throw Error("sctr-init sent a damaged message").because(EBADMSG);
    }
    if (packet.message.kind == Kind::failed) {
        throw to_error(packet.message);
    }
    return packet;
}

} // namespace sctr::container
