// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What is said to CRIU and what it answers: Protocol Buffers, one message a packet.
/// Source: CRIU, images/rpc.proto.
namespace sctr::container::criu {

enum class RequestKind : std::uint8_t {
    dump = 1,
    restore = 2,
    pre_dump = 4,
    notify = 6,
    feature_check = 9,
};

/// How CRIU treats the cgroups of the processes (criu(8), --manage-cgroups).
enum class CgroupMode : std::uint8_t { ignore = 0, soft = 3, full = 4, strict = 5, standard = 6 };

using StringPair = std::pair<std::string, std::string>;

/// A field of `criu_opts` is left out where this is empty, -1, 0 or false.
struct Options {
    int images_fd = -1; ///< directory; CRIU opens it through /proc/PID/fd of whoever asks
    int work_fd = -1;   ///< directory of its log
    std::string log_file;
    std::string config_file;
    std::string root;
    std::string parent_images; ///< relative to the images
    std::string page_server_address;
    std::int32_t page_server_port = 0;
    pid_t pid = 0; ///< to dump
    bool leave_running = false;
    bool external_unix_sockets = false;
    bool tcp_established = false;
    bool evasive_devices = false;
    bool shell_job = false;
    bool file_locks = false;
    bool track_memory = false;
    bool auto_dedup = false;
    bool lazy_pages = false;
    bool restore_sibling = false; ///< the process becomes a child of CRIU's parent
    CgroupMode cgroup_mode = CgroupMode::standard;
    std::uint32_t empty_namespaces = 0; ///< CLONE_NEW*
    std::string freeze_cgroup;
    std::string cgroup_root;                            ///< where the processes' cgroups go
    std::vector<StringPair> external_mounts;            ///< mount point or name, name or source
    std::vector<std::string> external;                  ///< "net[INODE]:NAME"
    std::vector<std::pair<std::string, int>> inherited; ///< name, fd of CRIU's own
    std::vector<StringPair> joined_namespaces;          ///< type, path
    std::string lsm_profile;
    std::string lsm_mount_context;
};

std::string encode_request(RequestKind kind, const Options& options);

/// Asks what this kernel offers.
std::string encode_feature_check();

/// The answer to a notification: go on.
std::string encode_notified();

/// What CRIU says.
struct Answer {
    std::uint64_t kind = 0; ///< as RequestKind
    bool success = false;
    pid_t restored = 0;
    std::string script; ///< a notification: "post-dump", ...
    pid_t script_pid = 0;
    std::int32_t error_number = 0;
    std::string error_text;
    bool can_track_memory = false; ///< of a feature check
    bool can_fetch_lazily = false; ///< of a feature check

    bool operator==(const Answer&) const = default;
};

/// Nothing when the message is damaged. Fields that are not known are passed over.
std::optional<Answer> decode_answer(std::string_view message);

/// The one line of CRIU's log that says what went wrong; empty when there is none.
std::string failure_in_log(std::string_view log);

} // namespace sctr::container::criu
