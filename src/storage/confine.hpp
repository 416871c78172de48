// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

/// What is left to a process that reads what strangers have packed: a decompressor with a mistake
/// in it is theirs.
namespace sctr::storage {

constexpr std::uint64_t capability_set(std::initializer_list<unsigned> capabilities) {
    std::uint64_t set = 0;
    for (const unsigned capability : capabilities) {
        set |= std::uint64_t{1} << capability;
    }
    return set;
}

struct Confinement {
    std::vector<int> read;          ///< files and trees that may be read; -1: nothing
    std::vector<int> write;         ///< directories below which everything may be done
    std::uint64_t capabilities = 0; ///< those that stay, of those that are there
};

/// What files of any owner take: to write a tree of them (whiteouts take none since Linux 5.8), and
/// to read one.
std::uint64_t capabilities_to_write();
std::uint64_t capabilities_to_read();

/// To be called before what is to be written is opened: gives this process a mount namespace of its
/// own, if it may have one. Throws Error.
void prepare_confinement();

/// For `read` and `write`; an invalid fd when it is not there.
UniqueFd open_place(const std::string& path);

/// Takes from this process, for good, all else: what is mounted becomes read-only, and devices
/// closed, in a mount namespace of its own, unless it may not have one; capabilities; files
/// (Landlock, where the kernel has it); system calls but those for files. Returns `write` opened
/// anew, where it can still be written: the old ones are read-only where they are of this mount
/// namespace. Throws Error.
std::vector<UniqueFd> confine(const Confinement& confinement);

/// The directory or file of an fd, as a path for who takes only those.
std::string path_of(const UniqueFd& fd);

} // namespace sctr::storage
