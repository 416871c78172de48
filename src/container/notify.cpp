// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/notify.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/init_process.hpp"

namespace sctr::container::notify {

namespace {

constexpr const char* directory_name = "/notify";
constexpr const char* socket_name = "notify.sock";
constexpr const char* place = "/run/notify";
constexpr const char* variable = "NOTIFY_SOCKET=";

/// A link's text is a place to keep a path in.
std::string host_link(const std::string& record_directory) {
    return record_directory + "/notify-host";
}

std::string read_link(const std::string& path) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// The address of a path of any length, through `fd`, or of an abstract socket.
socklen_t fill(struct sockaddr_un& address, const std::string& name) {
    address.sun_family = AF_UNIX;
    const std::size_t size = std::min(name.size(), sizeof address.sun_path - 1);
    name.copy(address.sun_path, size);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    return static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + size +
                                  (name.starts_with('@') ? 0 : 1));
}

const struct sockaddr* generic(const struct sockaddr_un& address) {
    return reinterpret_cast<const struct sockaddr*>(&address);
}

} // namespace

bool add_to(oci::Spec& spec, const std::string& record_directory) {
    if (!spec.process || std::ranges::any_of(spec.process->env, [](const std::string& each) {
            return each.starts_with(variable);
        })) {
        return false;
    }
    oci::Mount mount;
    mount.destination = place;
    mount.type = "bind";
    mount.source = record_directory + directory_name;
    mount.options = {"bind", "nosuid", "noexec", "nodev", "ro"};
    spec.mounts.push_back(std::move(mount));
    spec.process->env.push_back(std::string(variable) + place + "/" + socket_name);
    return true;
}

void make_directory(const std::string& record_directory, const std::string& host_socket) {
    const std::string path = record_directory + directory_name;
    constexpr mode_t for_every_user = 0755;
    if (::mkdir(path.c_str(), for_every_user) < 0 || ::chmod(path.c_str(), for_every_user) < 0 ||
        ::symlink(host_socket.c_str(), host_link(record_directory).c_str()) < 0) {
        throw Error("cannot make the directory of the notify socket").at(path).because(errno);
    }
}

std::string forwardable(std::string_view message) {
    std::string kept;
    for (const std::string& line : split(message, '\n')) {
        const std::string name = split_once(line, '=').first;
        constexpr std::array dropped{"MAINPID",
                                     "MAINPIDFD",
                                     "MAINPIDFDID",
                                     "BARRIER",
                                     "NOTIFYACCESS",
                                     "FDSTORE",
                                     "FDSTOREREMOVE",
                                     "FDNAME",
                                     "FDPOLL"};
        if (!line.empty() && !std::ranges::contains(dropped, name)) {
            kept += line + "\n";
        }
    }
    return kept;
}

bool is_ready(std::string_view message) {
    return std::ranges::contains(split(message, '\n'), "READY=1");
}

Proxy::Proxy(const std::string& record_directory) {
    const std::string path = record_directory + directory_name;
    const UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        return;
    }
    host_ = read_link(host_link(record_directory));
    struct sockaddr_un address{};
    const socklen_t size =
        fill(address, "/proc/self/fd/" + std::to_string(directory.get()) + "/" + socket_name);
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr mode_t for_every_user = 0777;
    if (!socket_.valid() || ::bind(socket_.get(), generic(address), size) < 0 ||
        ::fchmodat(directory.get(), socket_name, for_every_user, 0) < 0) {
        throw Error("cannot listen for the container's readiness").at(path).because(errno);
    }
}

bool Proxy::forward(pid_t main_pid) {
    std::array<char, 8192> buffer{};
    for (;;) {
        const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0) {
            return is_ready_;
        }
        const std::string_view message(buffer.data(), static_cast<std::size_t>(size));
        std::string text = forwardable(message);
        if (is_ready(message) && !is_ready_) {
            is_ready_ = true;
            // In one message, so that the service is never ready with another main process.
            text = (main_pid == 0 ? "" : "MAINPID=" + std::to_string(main_pid) + "\n") + text;
        }
        if (!text.empty()) {
            say(text);
        }
    }
}

void Proxy::say(const std::string& message) const {
    struct sockaddr_un address{};
    // A path longer than an address is reached through an fd.
    const UniqueFd file(host_.starts_with('/') ? ::open(host_.c_str(), O_PATH | O_CLOEXEC) : -1);
    const socklen_t size =
        fill(address, file.valid() ? "/proc/self/fd/" + std::to_string(file.get()) : host_);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // Nobody who listens is no reason to end the container.
    (void)!::sendto(
        socket.get(), message.data(), message.size(), MSG_NOSIGNAL, generic(address), size);
}

void Proxy::forward_until_ready(pid_t main_pid, int pidfd, const sys::SignalQueue& signals) {
    while (socket_.valid() && !forward(main_pid)) {
        std::array<struct pollfd, 3> items{
            {{socket_.get(), POLLIN, 0}, {pidfd, POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) {
            throw Error("cannot wait for the container's readiness").because(errno);
        }
        abort_if_asked(signals);
        if (items[1].revents != 0) {
            forward(main_pid); // its last words
            return;
        }
    }
}

} // namespace sctr::container::notify
