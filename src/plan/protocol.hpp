// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

#include "plan/codec.hpp"

/// What sctr and sctr-init say to each other over one SOCK_SEQPACKET pair, one message a packet.
/// After `created` the connection that `start` makes takes the pair's place.
namespace sctr::plan::protocol {

inline constexpr int control_fd = 3; ///< sctr-init's end of the socket pair, at first
inline constexpr int plan_fd = 4;    ///< memfd with the encoded plan
inline constexpr std::size_t max_message_size = 8192;

enum class Kind : std::uint32_t {
    // sctr to sctr-init
    id_maps_written, ///< uid_map and gid_map are in place
    go,              ///< the process is in its scope: finish the set-up; with HookFile, if any hook
    start,           ///< execute the command
    listener_taken,  ///< the seccomp listener is with whoever answers it
    // sctr-init to sctr
    joined, ///< the process that goes on has this pid (exec: after the fork into the pid namespace)
    prepared, ///< where it holds before pivot_root: the namespaces and mounts are ready for hooks
    terminal, ///< the pty's master comes with this packet
    created,  ///< all is set up; the command waits for `start` on InitPlan::start_socket
    seccomp_listener, ///< the listener of the filter that it has loaded comes with this packet
    failed,           ///< nothing more comes; the command was not executed
    executing,        ///< the filter and the exec are left: what ends now is the command
};

/// The files that come with `go` when sctr-init has hooks to run, in this order.
enum HookFile : std::uint8_t {
    state_creating, ///< stdin of createContainer hooks
    state_created,  ///< stdin of startContainer hooks
    hook_out,       ///< stdout of both
    hook_err,       ///< stderr of both
    hook_file_count,
};

/// `failed` reads as the host's Error: what, where, why.
struct Message {
    Kind kind{};
    std::int32_t error_number = 0;
    std::int32_t exit_code = 125;
    std::string what;
    std::string where;
    std::string why; ///< instead of, or after, the text of error_number
};

template <typename Archive, codec::Is<Message> R> void visit_fields(Archive& archive, R& r) {
    archive(r.kind, r.error_number, r.exit_code, r.what, r.where, r.why);
}

} // namespace sctr::plan::protocol
