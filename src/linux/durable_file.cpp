// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace sctr::sys {

namespace {

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

} // namespace

void make_own_directory(const std::string& path, unsigned mode, const char* what) {
    int made = ::mkdir(path.c_str(), mode);
    if (made < 0 && errno == ENOENT) {
        std::error_code ignored;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
        made = ::mkdir(path.c_str(), mode);
    }
    if (made < 0 && errno == EEXIST) {
        return;
    }
    if (made < 0 || ::chmod(path.c_str(), mode) < 0) {
        throw Error(what).at(path).because(errno);
    }
}

void sync_directory(const std::string& path) {
    const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid()) {
        ::fsync(directory.get());
    }
}

void replace_file(const std::string& path,
                  const std::string& text,
                  unsigned mode,
                  Durability durability,
                  const char* what) {
    const std::string beside = path + ".new";
    const UniqueFd file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
    const bool to_disk = durability == Durability::disk;
    if (!file.valid() || !write_all(file.get(), text) || (to_disk && ::fsync(file.get()) < 0) ||
        ::rename(beside.c_str(), path.c_str()) < 0) {
        const int error_number = errno;
        ::unlink(beside.c_str());
        throw Error(what).at(path).because(error_number);
    }
    if (to_disk) {
        sync_directory(path.substr(0, path.rfind('/')));
    }
}

} // namespace sctr::sys
