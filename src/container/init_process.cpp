// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/init_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"

// The static sctr-init program, made part of this one by init_blob.S.
extern "C" const char sctr_init_begin[];
extern "C" const char sctr_init_end[];

namespace sctr::container {

namespace {

using plan::protocol::Kind;

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

} // namespace

void abort_if_asked(const sys::SignalQueue& signals) {
    while (const auto signal = signals.take()) {
        if (*signal == SIGINT || *signal == SIGTERM || *signal == SIGHUP || *signal == SIGQUIT) {
            throw Interrupted{*signal};
        }
    }
}

void await_packet(int control, const sys::SignalQueue& signals, bool executing) {
    constexpr int long_for_execve = 1000; // ms
    // poll(2) looks at one after the other: what was there before the signal is seen, this way.
    std::array<struct pollfd, 2> items{{{signals.fd(), POLLIN, 0}, {control, POLLIN, 0}}};
    auto& packet = items[1];
    while (packet.revents == 0) {
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) {
            throw Error("cannot wait for sctr-init").because(errno);
        }
        if (packet.revents == 0 && (!executing || ::poll(&packet, 1, long_for_execve) == 0)) {
            abort_if_asked(signals); // else the command may run already, and the signal is its own
        }
    }
}

InitProcess::InitProcess(const InitSpawn& spawn) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    control_ = Control(UniqueFd(ends[0]));
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
    arguments.peer = control_.fd();
    arguments.plan = plan.get();
    arguments.inherited = spawn.inherited;
    child_ = sys::spawn(arguments);
}

bool InitProcess::receive() {
    while (auto packet = control_.receive()) {
        switch (packet->message.kind) {
        case Kind::terminal:
            terminal_ = std::move(packet->fd);
            break;
        case Kind::joined:
            adopt(std::move(packet->fd));
            break;
        case Kind::created:
            created_ = true;
            break;
        case Kind::prepared:
            prepared_ = true;
            break;
        case Kind::executing:
            executing_ = true;
            break;
        case Kind::seccomp_listener:
            pass_on(packet->fd);
            break;
        case Kind::failed: // thrown by whoever receives it
        case Kind::id_maps_written:
        case Kind::go:
        case Kind::start:
        case Kind::listener_taken:
            break; // these go the other way
        }
    }
    return !control_.is_closed();
}

void InitProcess::adopt(UniqueFd pidfd) {
    const pid_t pid = pid_of(pidfd.get());
    sys::Child joined(pid, std::move(pidfd));
    child_.wait(); // the first process ends once it has handed over
    child_ = std::move(joined);
    joined_ = true;
}

void InitProcess::pass_on(const UniqueFd& listener) {
    if (!take_listener_) {
        throw Error("the seccomp filter notifies, and nobody takes its listener");
    }
    take_listener_(listener.get(), child_.pid());
    take_listener_ = nullptr;
    send(Kind::listener_taken);
}

void InitProcess::await_joined(const sys::SignalQueue& signals) {
    while (!joined_) {
        await_packet(control_.fd(), signals, executing_);
        // A quick command has been executed, and the socket closed, by the time that this is read.
        if (!receive() && !joined_) {
            throw Error("sctr-init ended early").because("it was killed, or could not be executed");
        }
    }
}

void InitProcess::await_prepared(const sys::SignalQueue& signals) {
    while (!prepared_) {
        await_packet(control_.fd(), signals, executing_);
        if (!receive() && !prepared_) {
            throw Error("sctr-init ended while the container was being set up");
        }
    }
}

void InitProcess::await_execution(const sys::SignalQueue& signals) {
    do {
        await_packet(control_.fd(), signals, executing_);
    } while (receive());
    if (!executing_) {
        throw Error("sctr-init ended while the container was being set up");
    }
    if (take_listener_) {
        throw Error("cannot take over the seccomp listener")
            .because("the filter does not let sctr-init send it, or sctr-init was killed")
            .mend("a profile with SCMP_ACT_NOTIFY has to allow sendmsg and read");
    }
}

void InitProcess::await_created(const sys::SignalQueue& signals) {
    while (!created_) {
        await_packet(control_.fd(), signals, executing_);
        if (!receive() && !created_) {
            throw Error("sctr-init ended while the container was being set up");
        }
    }
}

} // namespace sctr::container
