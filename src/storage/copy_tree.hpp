// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "base/unique_fd.hpp"
#include "storage/copy_journal.hpp"
#include "storage/layer_member.hpp"

namespace sctr::storage {

/// Writes the members of an archive below a directory, in which there may be something, and nowhere
/// else: every name is resolved below it, whatever links are there or come. No name is a whiteout,
/// other file systems are entered, and what is there stays of the kind that it is: a directory or
/// none.
///
/// Files get their names when they are complete. Until finish() what was there before is as it was,
/// and all else is in the journal, by which it can be taken back.
class CopyTree : public MemberTree {
  public:
    /// `rootless`: in a user namespace, where device nodes are left out. Throws Error.
    CopyTree(const std::string& root, bool rootless, CopyJournal& journal);

    [[nodiscard]] int root() const { return root_.get(); }

    void add(const LayerMember& member) override;
    UniqueFd create_file(const LayerMember& member) override;
    void finish_file(int file, const LayerMember& member) override;

    /// When everything is there: puts new files in the place of old ones, and gives directories
    /// their owners, modes and times. Throws Error.
    void finish();

  private:
    /// A name in an open directory, and the one that a file has until it is complete.
    struct Place {
        int directory = -1; ///< valid until the next call that opens one
        MadeName made;
        std::string beside;
    };

    struct NewLooks {
        LayerMember member;
        ino_t inode = 0;
    };

    int open_directory(const std::string& path);
    void make_directory(const std::string& path, mode_t mode);
    /// Where a file goes that is no directory. Throws Error where one is.
    Place open_place(const LayerMember& member);
    void settle(const Place& place, const std::string& path);
    void add_directory(const LayerMember& member);
    void add_hard_link(const LayerMember& member);
    void add_node(const LayerMember& member);
    void replace_old();
    void give_directory_looks(const std::string& path, const NewLooks& looks) const;
    [[nodiscard]] std::string path_of_made(const MadeName& made) const;

    UniqueFd root_;
    bool rootless_;
    CopyJournal& journal_;
    std::string root_name_; ///< as the kernel names it, "" for "/"
    std::string beside_;    ///< what all names that a file has until it is complete begin with
    unsigned waiting_ = 0;  ///< how many of these are taken

    std::string current_path_; ///< of current_, as members name it
    std::string current_place_;
    UniqueFd current_; ///< the directory that was opened last: members come in its order
    Place open_file_;

    /// What waits beside an old file for the end, by the path of that.
    std::map<std::string, std::string> replacements_;
    std::map<std::string, NewLooks> directories_;
};

} // namespace sctr::storage
