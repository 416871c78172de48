// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "linux/signals.hpp"
#include "oci/spec.hpp"

/// The readiness of a container, told to the service manager of whoever starts it (sd_notify(3)).
///
/// systemd takes messages from the service's own processes only, and the container is in a scope of
/// its own. So the container gets a socket of ours, and what comes there is said again from here.
namespace sctr::container::notify {

/// Shows the container the directory of its socket, and tells its process of it. Nothing is done
/// for a process that has been told of another one: then an engine looks after it (podman's
/// --sdnotify=container, where conmon listens). Returns whether it was done.
bool add_to(oci::Spec& spec, const std::string& record_directory);

/// Makes that directory, and remembers `host_socket`, the value of NOTIFY_SOCKET.
void make_directory(const std::string& record_directory, const std::string& host_socket);

/// What of a message concerns the service: neither pids, which are those of the container, nor what
/// belongs to file descriptors, which do not come along. Empty when that is all.
std::string forwardable(std::string_view message);

/// True for a message that says READY=1.
bool is_ready(std::string_view message);

/// The container's socket.
class Proxy {
  public:
    /// Nothing is heard where the container has no such directory. Throws Error.
    explicit Proxy(const std::string& record_directory);

    [[nodiscard]] int fd() const { return socket_.get(); }

    /// Says again what has come, without waiting, and with the first READY=1 also that `main_pid`
    /// (0: nobody else) is the service's main process. Returns whether it was ready by then.
    bool forward(pid_t main_pid);

    /// Forwards until the container is ready or has ended. Throws Interrupted.
    void forward_until_ready(pid_t main_pid, int pidfd, const sys::SignalQueue& signals);

  private:
    void say(const std::string& message) const;

    UniqueFd socket_;
    std::string host_; ///< path, or '@' and the name of an abstract socket
    bool is_ready_ = false;
};

} // namespace sctr::container::notify
