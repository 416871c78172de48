// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "storage/meaning.hpp"

namespace sctr::storage {

/// One member of a layer's archive. `path` is as clean_member_path() gives it.
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

struct TreeOptions {
    /// In a user namespace, where opaque directories are marked by another xattr and device nodes
    /// are left out.
    bool rootless = false;
    /// As a tree: no name is a whiteout, other file systems are entered, and what is there already
    /// stays of the kind that it is: a directory or none.
    Meaning meaning = Meaning::layer;
};

/// Writes the members of one layer below a directory, and nowhere else: every name is resolved
/// below it, whatever links the layer brings. Whiteouts become those of overlayfs.
class LayerTree {
  public:
    LayerTree(const std::string& root, const TreeOptions& options);

    /// Anything but a regular file, which has content. Throws Error.
    void add(const LayerMember& member);

    /// An empty file to be written, which finish_file() completes. Throws Error.
    UniqueFd create_file(const LayerMember& member);
    void finish_file(int file, const LayerMember& member);

    /// When everything is there: sets the times of directories.
    void finish();

    /// Directories that overlayfs is to take for opaque. Only who has CAP_SYS_ADMIN can say so (but
    /// for a plain user, for whom it is done): see mark_opaque().
    [[nodiscard]] const std::set<std::string>& opaque() const { return opaque_; }

    /// Directories that no member tells of, only names of what is in them; the root is "".
    [[nodiscard]] const std::set<std::string>& implied() const { return implied_; }

  private:
    struct Place {
        int directory = -1; ///< valid until the next call that opens one
        std::string name;
    };

    Place open_place(const std::string& path);
    int open_directory(const std::string& path);
    void make_directories(const std::string& path);
    void add_whiteout(const LayerMember& member, const Place& place);
    void add_directory(const LayerMember& member);
    void add_hard_link(const LayerMember& member);
    void add_node(const LayerMember& member);
    void displace(const Place& place, const std::string& path);
    void set_metadata(const LayerMember& member, const Place& place, mode_t type) const;
    void set_xattrs(int file, const LayerMember& member) const;
    void set_opaque(int directory, const std::string& path);
    [[nodiscard]] std::string place_of(int directory) const;
    [[nodiscard]] std::uint64_t inside() const;

    UniqueFd root_;
    bool rootless_;
    bool is_layer_;
    std::string current_path_; ///< of current_
    UniqueFd current_;         ///< the directory that was opened last: members come in its order
    std::set<std::string> implied_;
    std::string root_name_; ///< as the kernel names it, "" for "/"
    std::set<std::string> opaque_;
    std::map<std::string, struct timespec> directory_times_;
};

/// Removes a directory with all below it; what is not there is fine. Throws Error.
void remove_tree(int directory, const std::string& name);

/// Gives a tree to others, symbolic links themselves and other file systems included. Throws Error.
void chown_tree(const std::string& path, uid_t uid, gid_t gid);

/// Marks directories of a layer as LayerTree::opaque() names them. Throws Error.
void mark_opaque(const std::string& layer, const std::set<std::string>& opaque);

/// Gives directories of a layer that its archive does not tell of the owner, mode, times and xattrs
/// that they have in the layers below, the uppermost of which is first. Throws Error.
void adopt_implied(const std::string& layer,
                   const std::set<std::string>& implied,
                   const std::vector<std::string>& lower,
                   bool rootless);

} // namespace sctr::storage
