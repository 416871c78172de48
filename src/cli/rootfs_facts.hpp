// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/mount_flags.hpp"
#include "oci/image.hpp"
#include "oci/spec.hpp"
#include "plan/init_plan.hpp"
#include "plan/own_ids.hpp"
#include "plan/request.hpp"

namespace sctr::cli {

/// A device node of the host.
struct HostDevice {
    std::string path;
    char type = 'c'; ///< 'c' or 'b'
    std::int64_t major = 0;
    std::int64_t minor = 0;
    mode_t mode = 0; ///< permission bits
    uid_t uid = 0;
    gid_t gid = 0;
};

/// What a command line takes from whoever calls: kept with a container that is started again later.
struct Caller {
    std::string working_directory;
    std::map<std::string, std::string> environment;
    std::vector<std::string> env_files; ///< texts, in the order of the flags
    std::string volume_owner;           ///< as of RootfsFacts
};

/// A file of --label-file.
struct LabelFile {
    std::string path;
    std::string text;
};

/// The network of a container that names none.
enum class DefaultNetwork {
    none,   ///< the loopback device alone
    bridge, ///< of root
    pasta,  ///< of plain users
};

/// The AppArmor profile of containers that ask for none, where the administrator has loaded it.
inline constexpr const char* default_apparmor_profile = "sctr-default";

/// What a command line needs to know of the world, read beforehand by gather() so that building
/// the request is pure. What no flag asks for is left empty.
struct RootfsFacts {
    std::string image;        ///< name of the image; empty: a directory
    std::string image_digest; ///< of its manifest
    oci::ImageProcess image_process;
    plan::OverlayStep overlay; ///< what `rootfs` will show, if it has lower directories
    std::string rootfs;        ///< absolute, links resolved
    std::string passwd;        ///< text of the container's /etc/passwd
    std::string group;         ///< text of the container's /etc/group
    std::string random_id;
    std::string working_directory;                          ///< of the caller
    std::vector<std::string> env_files;                     ///< texts, in the order of the flags
    std::map<std::string, std::string> environment;         ///< of the caller
    std::vector<LabelFile> label_files;                     ///< in the order of the flags
    std::string time_zone_file;                             ///< of the host, for --tz
    std::map<std::string, std::vector<HostDevice>> devices; ///< by the path in the flag
    std::vector<HostDevice> all_devices;                    ///< for --privileged
    std::map<std::string, pid_t> containers;                ///< init's pid, by container name
    std::vector<plan::JoinedProcess> joined;                ///< the same
    std::string seccomp_profile;                            ///< text of seccomp=FILE
    std::string kernel_release;                             ///< as uname -r, for that file
    std::vector<std::string> thermal_paths;         ///< per-CPU throttle counters, which are masked
    std::uint64_t capabilities = ~std::uint64_t{0}; ///< that the caller can give: a bit for each
    bool has_selinux = false;
    DefaultNetwork default_network = DefaultNetwork::none;
    std::string records;                   ///< directory of the records of containers
    bool cannot_make_files = false;        ///< the root is on a read-only file system
    std::set<std::string> files_of_root;   ///< of those that are made for it, if it is
    std::set<std::string> files_of_others; ///< of a container whose network is joined

    bool has_own_apparmor_profile = false;                  ///< default_apparmor_profile is loaded
    std::map<std::string, std::vector<std::string>> images; ///< layers of those to mount, by name
    std::string volumes;                                    ///< directory of all volumes
    std::string volume_owner;               ///< names this container's anonymous volumes
    std::vector<CallersMount> volumes_from; ///< mounts of the containers of --volumes-from
    std::vector<std::string> secrets; ///< texts, in the order of parse_secrets; none in a dry run
    std::vector<oci::IdMapping> own_uids; ///< a plain user's, in the container; empty for root
    std::vector<oci::IdMapping> own_gids;
    /// Whom the container calls the caller, where that is not its root.
    std::optional<plan::KeptIds> kept;
    /// The lines of the caller's own account that the container's files lack, if they do.
    std::string own_passwd;
    std::string own_group;
    std::uint32_t reserved_ids = 0; ///< the lowest of 65536 ids of the host for --userns auto
};

} // namespace sctr::cli
