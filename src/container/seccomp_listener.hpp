// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>

#include "container/record.hpp"
#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

/// A filter with SCMP_ACT_NOTIFY asks somebody else about system calls: whoever listens at
/// linux.seccomp.listenerPath gets the file descriptor that answers them (seccomp_unotify(2)).
namespace sctr::container {

/// True for a filter that has a listener.
bool is_notified(const plan::SeccompStep& seccomp);

/// The text that goes with the file descriptor. `pid` is of the process that loaded the filter,
/// which is the container's init or that of an exec. Source: runtime-spec, config-linux, The
/// Container Process State.
std::string
container_process_state(const oci::Spec& config, const Record& record, Status status, pid_t pid);

/// Connects to the listener of `seccomp`, sends it the state and the file descriptor, and closes
/// the connection. Throws Error also when the other side takes longer than 10 seconds.
void send_listener(const oci::Seccomp& seccomp, const std::string& state, int fd);

/// What InitProcess::on_listener wants, for a process of this container.
std::function<void(int fd, pid_t pid)>
listener_sender(const oci::Spec& config, const Record& record, Status status);

} // namespace sctr::container
