// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "storage/view.hpp"

/// Copies of trees, for sctr-layer. What a container may have changed at the same time is resolved
/// below its root, component by component, through open directories: nothing that it puts there
/// leads out.
namespace sctr::storage {

struct CopySource {
    std::string path;
    std::string shown;   ///< what errors call it
    std::string name;    ///< what it is called in the archive
    bool follow = false; ///< what a link of that path leads to
};

/// Writes an archive to standard output. Throws Error.
void copy_from(const CopySource& source, const View& view, bool rootless);

struct CopyTarget {
    std::string path;
    std::string shown;        ///< what errors call it
    std::string name;         ///< what is copied into a directory is called so; empty: names stay
    bool contents = false;    ///< what a directory has, without itself
    bool keep_owners = false; ///< else all is root's
    bool needs_end_mark = false; ///< as copy_from() writes it
};

/// Unpacks the archive on standard input. Throws Error; what was made is gone then. Standard output
/// gets what is made before it is, for take_copy_back(). Source: docker-cp, what becomes of which
/// name.
void copy_to(const CopyTarget& target, const View& view, bool rootless);

/// Removes what a copy_to() has made that could not do so itself, as it has said on what is
/// standard input here. Throws Error when something of it stays.
void take_copy_back(const View& view, bool rootless);

} // namespace sctr::storage
