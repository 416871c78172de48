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
#include "storage/layer_member.hpp"

namespace sctr::storage {

/// Writes the members of one layer below a directory, and nowhere else: every name is resolved
/// below it, whatever links the layer brings. Whiteouts become those of overlayfs.
class LayerTree : public MemberTree {
  public:
    /// `rootless`: in a user namespace, where opaque directories are marked by another xattr and
    /// device nodes are left out. Throws Error.
    LayerTree(const std::string& root, bool rootless);

    void add(const LayerMember& member) override;
    UniqueFd create_file(const LayerMember& member) override;
    void finish_file(int file, const LayerMember& member) override;

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
    void set_opaque(int directory, const std::string& path);
    [[nodiscard]] std::string place_of(int directory) const;

    UniqueFd root_;
    bool rootless_;
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
