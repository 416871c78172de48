// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

/// The little that everything in the store does with files.
namespace sctr::storage {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// What an open directory has, sorted; nothing and errno when it cannot be read. One that has been
/// removed has nothing.
inline std::optional<std::vector<std::string>> names_in(int directory) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const Directory stream(copy < 0 ? nullptr : ::fdopendir(copy));
    if (!stream) {
        return errno == ENOENT ? std::optional(std::vector<std::string>()) : std::nullopt;
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string name(entry->d_name);
        if (name != "." && name != "..") {
            names.push_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

inline bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

/// One that may be there. Throws Error that begins with `what`.
inline void ensure_directory(const std::string& path, mode_t mode, const char* what) {
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) {
        throw Error(what).at(path).because(errno);
    }
}

/// One that may not be there, with exactly that mode. Throws Error that begins with `what`.
inline void make_directory(const std::string& path, mode_t mode, const char* what) {
    if (::mkdir(path.c_str(), mode) < 0 || ::chmod(path.c_str(), mode) < 0) {
        throw Error(what).at(path).because(errno);
    }
}

inline bool is_same_file(int opened, const std::string& path) {
    struct stat held{};
    struct stat named{};
    return ::fstat(opened, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

} // namespace sctr::storage
