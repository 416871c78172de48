// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "storage/copy_journal.hpp"

namespace sctr::storage {

/// Where the members of an archive go.
struct TreeTarget {
    std::string directory;
    /// What the first part of their names is called there; empty: it is left out, and a member of
    /// that name alone with it. Nothing: names stay as they are.
    std::optional<std::string> top;
    /// The user has named that, and not the directory.
    bool shows_top = false;
};

struct TreeSource {
    std::string archive;
    /// What errors say that failed.
    std::string what = "cannot unpack the archive";
    /// What errors call the place that it is unpacked to, as the user has named it.
    std::string shown;
    /// Else all is root's, and so without what a file may do by its owner (set-user-ID,
    /// capabilities), and without device nodes.
    bool keep_owners = true;
    bool rootless = false;
    /// An archive that ends between two members, without a mark, has lost the rest. Not all that
    /// others pack have one.
    bool needs_end_mark = false;
    bool must_be_there = false; ///< no byte at all is an error, too, of which an archive has some
};

/// Unpacks an archive as a tree of files. `choose` is told whether the first member is a directory,
/// before anything is written. An empty archive is nothing to do. Throws Error; what was made is
/// gone then, and what was there before as it was (see CopyTree).
void unpack_tree(const TreeSource& source,
                 CopyJournal& journal,
                 const std::function<TreeTarget(bool is_directory)>& choose);

} // namespace sctr::storage
