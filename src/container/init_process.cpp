// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/init_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"

// The static sctr-init program, made part of this one by init_blob.S.
extern "C" const char sctr_init_begin[];
extern "C" const char sctr_init_end[];

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

UniqueFd init_image() {
    return sys::raise_fd(sys::sealed_memfd(
        "sctr-init",
        {sctr_init_begin, static_cast<std::size_t>(sctr_init_end - sctr_init_begin)},
        true));
}

pid_t pid_of(int pidfd) {
    const auto info =
        sys::read_small_file("/proc/self/fdinfo/" + std::to_string(pidfd)).value_or("");
    for (const std::string& line : split(info, '\n')) {
        if (line.starts_with("Pid:\t")) {
            return static_cast<pid_t>(parse_int(line.substr(5)).value_or(-1));
        }
    }
    return -1;
}

void poll_readable(int fd, const sys::SignalQueue& signals) {
    std::array<struct pollfd, 2> items{{{fd, POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    while (items[0].revents == 0) {
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) {
            throw Error("cannot wait for sctr-init").because(errno);
        }
        if (items[0].revents == 0) { // else the command may run already, and the signal is its own
            abort_if_asked(signals);
        }
    }
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

void abort_if_asked(const sys::SignalQueue& signals) {
    while (const auto signal = signals.take()) {
        if (*signal == SIGINT || *signal == SIGTERM || *signal == SIGHUP || *signal == SIGQUIT) {
            throw Interrupted{*signal};
        }
    }
}

InitProcess::InitProcess(const InitSpawn& spawn) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    control_ = UniqueFd(ends[0]);
    const UniqueFd other = sys::raise_fd(UniqueFd(ends[1]));
    const UniqueFd plan = sys::raise_fd(sys::sealed_memfd("sctr-plan", spawn.plan, false));
    const UniqueFd image = init_image();
    const std::array<const char*, 3> argv{"sctr-init", spawn.mode, nullptr};
    sys::SpawnArguments arguments;
    arguments.clone_flags = spawn.clone_flags;
    arguments.cgroup = spawn.cgroup;
    arguments.executable = image.get();
    arguments.argv = argv.data();
    std::copy(std::begin(spawn.standard), std::end(spawn.standard), arguments.standard);
    arguments.control = other.get();
    arguments.peer = control_.get();
    arguments.plan = plan.get();
    arguments.inherited = spawn.inherited;
    child_ = sys::spawn(arguments);
}

void InitProcess::send(Kind kind, const std::vector<UniqueFd>& files) const {
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
    // A dead sctr-init is noticed, and explained, by whoever reads next.
    (void)::sendmsg(control_.get(), &packet, MSG_NOSIGNAL);
}

bool InitProcess::receive() {
    for (;;) {
        std::array<char, plan::protocol::max_message_size> buffer{};
        alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        struct iovec data{buffer.data(), buffer.size()};
        struct msghdr packet{};
        packet.msg_iov = &data;
        packet.msg_iovlen = 1;
        packet.msg_control = control.data();
        packet.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(control_.get(), &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            return true;
        }
        if (size <= 0) {
            return false;
        }
        UniqueFd passed = passed_fd(packet);
        Message message;
        if (!plan::codec::decode({buffer.data(), static_cast<std::size_t>(size)}, message)) {
            throw Error("sctr-init sent a damaged message").because(EBADMSG);
        }
        switch (message.kind) {
        case Kind::failed:
            throw to_error(message);
        case Kind::terminal:
            terminal_ = std::move(passed);
            break;
        case Kind::joined:
            adopt(std::move(passed));
            break;
        case Kind::prepared:
            prepared_ = true;
            break;
        case Kind::id_maps_written:
        case Kind::go:
        case Kind::start:
            break; // these go the other way
        }
    }
}

void InitProcess::adopt(UniqueFd pidfd) {
    const pid_t pid = pid_of(pidfd.get());
    sys::Child joined(pid, std::move(pidfd));
    child_.wait(); // the first process ends once it has handed over
    child_ = std::move(joined);
    joined_ = true;
}

void InitProcess::await_joined(const sys::SignalQueue& signals) {
    while (!joined_) {
        poll_readable(control_.get(), signals);
        // A quick command has been executed, and the socket closed, by the time that this is read.
        if (!receive() && !joined_) {
            throw Error("sctr-init ended early").because("it was killed, or could not be executed");
        }
    }
}

void InitProcess::await_prepared(const sys::SignalQueue& signals) {
    while (!prepared_) {
        poll_readable(control_.get(), signals);
        if (!receive() && !prepared_) {
            throw Error("sctr-init was killed while the container was being set up");
        }
    }
}

void InitProcess::await_execution(const sys::SignalQueue& signals) {
    do {
        poll_readable(control_.get(), signals);
    } while (receive());
}

} // namespace sctr::container
