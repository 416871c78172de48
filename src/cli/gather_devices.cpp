// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "cli/gather.hpp"

namespace sctr::cli {
namespace {

namespace fs = std::filesystem;

/// The device node at a path; nothing when it is something else.
std::optional<HostDevice> host_device(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
        return std::nullopt;
    }
    return HostDevice{.path = path,
                      .type = S_ISCHR(status.st_mode) ? 'c' : 'b',
                      .major = ::major(status.st_rdev),
                      .minor = ::minor(status.st_rdev),
                      .mode = status.st_mode & 07777U,
                      .uid = status.st_uid,
                      .gid = status.st_gid};
}

} // namespace

std::vector<HostDevice> devices_below(const std::string& directory) {
    constexpr std::array<std::string_view, 12> own = {"/dev/console",
                                                      "/dev/fd",
                                                      "/dev/full",
                                                      "/dev/mqueue",
                                                      "/dev/null",
                                                      "/dev/ptmx",
                                                      "/dev/pts",
                                                      "/dev/random",
                                                      "/dev/shm",
                                                      "/dev/tty",
                                                      "/dev/urandom",
                                                      "/dev/zero"};
    std::vector<HostDevice> found;
    std::error_code failure;
    fs::recursive_directory_iterator entry(
        directory, fs::directory_options::skip_permission_denied, failure);
    for (; !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
        const std::string path = entry->path().string();
        if (std::ranges::contains(own, path)) {
            entry.disable_recursion_pending();
            continue;
        }
        if (fs::is_symlink(entry->symlink_status(failure))) {
            continue;
        }
        if (auto device = host_device(path)) {
            found.push_back(std::move(*device));
        }
    }
    std::ranges::sort(found, {}, &HostDevice::path);
    return found;
}

std::vector<HostDevice> find_devices(const std::string& path) {
    if (auto device = host_device(path)) {
        return {std::move(*device)};
    }
    std::error_code ignored;
    return fs::is_directory(path, ignored) ? devices_below(path) : std::vector<HostDevice>();
}

} // namespace sctr::cli
