// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

/// What a copy has made below a directory, told before it is done, so that it can be taken back
/// whatever became of who made it.
namespace sctr::storage {

/// A name in a directory, whose path below the copy's ground is without links.
struct MadeName {
    std::string directory; ///< "" for the ground itself
    std::string name;
};

/// Writes to a file from its beginning, record by record, of which the last may be half of one.
class CopyJournal {
  public:
    /// A file in memory of its own. Throws Error.
    CopyJournal();
    /// What `output` is, if it can be read again; else a file of its own. Throws Error.
    static CopyJournal on(int output);

    /// Where the ground lies: its path below a root, for who opens it anew. Throws Error.
    void ground(const std::string& path);
    /// A directory that was not there is about to be made. Throws Error.
    void directory(const MadeName& made);
    /// Whatever will be of that name is the copy's: nobody else knows it. Throws Error.
    void beside(const MadeName& made);
    /// A name is about to be given to the file with that inode number. Throws Error.
    void file(const MadeName& made, ino_t inode);

    /// All of it. Throws Error.
    [[nodiscard]] std::string text() const;

  private:
    explicit CopyJournal(UniqueFd file) : file_(std::move(file)) {}

    void write(char kind, const MadeName& made, ino_t inode);

    UniqueFd file_;
    MadeName last_beside_;
};

/// What ground() was told; nothing was made before it.
std::string ground_of(std::string_view journal);

/// Removes what a journal tells of, last first, below the open directory `ground`: names that still
/// are what the copy made, and directories without anything else in them. No link is followed.
/// Returns how many names could not be removed.
std::size_t take_back(std::string_view journal, int ground);

} // namespace sctr::storage
