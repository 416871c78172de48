// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::storage {

/// What failed, in the errors of all that unpacks.
inline constexpr const char* cannot_unpack = "cannot unpack the layer";

/// One member of an archive. `path` is as clean_member_path() gives it.
struct LayerMember {
    std::string path;
    mode_t mode = 0; ///< type and permission bits
    uid_t uid = 0;
    gid_t gid = 0;
    dev_t device = 0;
    struct timespec mtime{};
    std::string
        link; ///< of a symbolic link: where it leads; of a hard link: clean path of its file
    bool is_hard_link = false;
    std::vector<std::pair<std::string, std::string>> xattrs;
};

/// The path of a member below the layer's root, without "." and doubled or leading slashes; empty:
/// the root itself. Throws Error for "..", a NUL, and what is longer than the kernel takes.
std::string clean_member_path(const std::string& name);

/// Where the members of an archive are written.
class MemberTree {
  public:
    MemberTree() = default;
    MemberTree(const MemberTree&) = delete;
    MemberTree& operator=(const MemberTree&) = delete;
    MemberTree(MemberTree&&) = delete;
    MemberTree& operator=(MemberTree&&) = delete;
    virtual ~MemberTree() = default;

    /// Anything but a regular file, which has content. Throws Error.
    virtual void add(const LayerMember& member) = 0;

    /// An empty file to be written, which finish_file() completes. Throws Error.
    virtual UniqueFd create_file(const LayerMember& member) = 0;
    virtual void finish_file(int file, const LayerMember& member) = 0;
};

} // namespace sctr::storage
