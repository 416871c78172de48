// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/journal_socket.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "host/caller.hpp"
#include "linux/memfd.hpp"

namespace sctr::systemd {

namespace {

constexpr const char* socket_path = "/run/systemd/journal/socket";

/// Appends control data of one kind; the caller has provided the room.
template <typename T> void add_control(struct msghdr& message, int type, const T& value) {
    auto* const header = reinterpret_cast<struct cmsghdr*>(static_cast<char*>(message.msg_control) +
                                                           message.msg_controllen);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message.msg_controllen += CMSG_SPACE(sizeof value);
}

/// Where PID 1 leaves for journald what it knows of a unit, a symlink with the value as its target.
std::string rate_limit_link(const std::string& unit) {
    return "/run/systemd/units/log-rate-limit-interval:" + unit;
}

} // namespace

JournalSocket::JournalSocket() : may_name_others_(host::caller().is_system) {
    if (!connect()) {
        throw Error("cannot reach the journal")
            .at(socket_path)
            .because(errno)
            .mend("systemctl start systemd-journald.socket");
    }
}

bool JournalSocket::connect() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr int buffer = 8 << 20; // as libsystemd has it
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) < 0) {
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path, sizeof address.sun_path - 1);
    if (::connect(
            socket.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) < 0) {
        return false;
    }
    socket_ = std::move(socket);
    return true;
}

JournalSocket::Sent
JournalSocket::try_send(const std::string& entry, int file, pid_t sender) const {
    struct iovec data{const_cast<char*>(entry.data()), entry.size()};
    alignas(struct cmsghdr)
        std::array<char, CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))>
            control{};
    struct msghdr message{};
    message.msg_control = control.data();
    if (file >= 0) {
        add_control(message, SCM_RIGHTS, file);
    } else {
        message.msg_iov = &data;
        message.msg_iovlen = 1;
    }
    if (sender > 0) {
        add_control(message, SCM_CREDENTIALS, ucred{sender, ::geteuid(), ::getegid()});
    }
    for (;;) {
        if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0) {
            return Sent::yes;
        }
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
            return Sent::later;
        case EMSGSIZE:
        case ENOBUFS:
            return Sent::too_large;
        case ECONNREFUSED:
        case ECONNRESET:
        case ENOTCONN:
            return Sent::lost_connection;
        default:
            return Sent::refused;
        }
    }
}

bool JournalSocket::send(const std::string& entry, pid_t sender) {
    UniqueFd file;
    for (;;) {
        const bool was_connected = socket_.valid();
        if (!was_connected && !connect()) {
            return false;
        }
        switch (try_send(entry, file.get(), may_name_others_ ? sender : 0)) {
        case Sent::yes:
            return true;
        case Sent::later:
            return false;
        case Sent::too_large:
            if (file.valid()) {
                return true;
            }
            file = sys::sealed_memfd("journal-entry", entry, false);
            break;
        case Sent::lost_connection:
            socket_.reset(); // systemd-journald.socket was stopped or restarted
            if (!was_connected) {
                return false;
            }
            break;
        case Sent::refused:
            if (!may_name_others_) {
                return true;
            }
            may_name_others_ = false; // root of a user namespace; or the process is gone
            break;
        }
    }
}

void JournalSocket::wait_until_read(std::chrono::milliseconds patience) {
    // What has been taken from the queue may still be looked at. So an empty message, which
    // journald ignores, follows: when that is taken, all before it is done.
    const auto end = std::chrono::steady_clock::now() + patience;
    bool marked = false;
    while (std::chrono::steady_clock::now() < end) {
        marked = marked || ::send(socket_.get(), "", 0, MSG_NOSIGNAL) == 0 || errno != EAGAIN;
        int unread = 0;
        if (marked && (::ioctl(socket_.get(), SIOCOUTQ, &unread) < 0 || unread == 0)) {
            return;
        }
        // Nothing announces that a datagram was read.
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
}

void lift_log_rate_limit(const std::string& unit) noexcept {
    if (host::caller().is_system) {
        (void)!::symlink("0", rate_limit_link(unit).c_str());
    }
}

void restore_log_rate_limit(const std::string& unit) noexcept {
    if (host::caller().is_system) {
        ::unlink(rate_limit_link(unit).c_str());
    }
}

} // namespace sctr::systemd
