// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

/// Copies of trees, for sctr-layer. What a container may have changed at the same time is resolved
/// below its root, component by component, through open directories: nothing that it puts there
/// leads out.
namespace sctr::storage {

/// Whose files: "host"; "fd", an open root as fd 3 and, if there is one, its user namespace as
/// fd 4; "layers" and directories, the uppermost first; "writable" and an upper and a work
/// directory before these. Before all that may stand what is mounted in it: "mount", the source on
/// the host, the place, and "ro" or "rw".
using View = std::vector<std::string>;

/// Writes an archive of `path` to standard output, in which it is called `as`.
void copy_from(
    const std::string& path, const std::string& as, bool follow, const View& view, bool rootless);

struct CopyTarget {
    std::string path;
    std::string name;         ///< what is copied into a directory is called so; empty: names stay
    bool contents = false;    ///< what a directory has, without itself
    bool keep_owners = false; ///< else all is root's
};

/// Unpacks the archive on standard input. Source: docker-cp, what becomes of which name.
void copy_to(const CopyTarget& target, const View& view, bool rootless);

/// Appends lines to files of the root that are there, or could be: their directory is. Throws
/// Error.
void add_lines(const std::vector<std::pair<std::string, std::string>>& lines,
               const View& view,
               bool rootless);

/// Fills an empty directory with what layers have at a path, whose looks it gets, too. Where that
/// is no directory it stays as it is.
void fill(const std::string& directory,
          const std::string& path,
          const std::vector<std::string>& layers,
          bool rootless);

} // namespace sctr::storage
