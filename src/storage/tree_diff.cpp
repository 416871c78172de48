// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/tree_diff.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/syscalls.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

/// Whether the layers, seen as one, have something at the path.
bool is_below(const std::vector<std::string>& layers, const std::string& path) {
    for (const std::string& layer : layers) {
        const UniqueFd root(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd found(sys::openat2(root.get(),
                                          path.c_str(),
                                          O_PATH | O_NOFOLLOW | O_CLOEXEC,
                                          0,
                                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
        struct stat info{};
        if (found.valid() && ::fstat(found.get(), &info) == 0) {
            return !is_whiteout(info);
        }
    }
    return false;
}

/// What was made to mount on; of an image without one it is no change.
bool is_mount_point(const std::string& path, const fs::directory_entry& entry) {
    std::error_code gone;
    constexpr std::array<std::string_view, 4> directories = {"dev", "proc", "sys", "run/secrets"};
    constexpr std::array<std::string_view, 3> files = {
        "etc/hosts", "etc/hostname", "etc/resolv.conf"};
    const bool is_place = std::ranges::contains(directories, path)
                              ? entry.is_directory(gone)
                              : std::ranges::contains(files, path) &&
                                    entry.symlink_status(gone).type() == fs::file_type::regular;
    return is_place && fs::is_empty(entry.path(), gone);
}

/// The directory that is seen at `path` of these layers is as it was, but for its entries.
bool has_same_owner_and_mode(const std::string& upper,
                             const std::vector<std::string>& lower,
                             const std::string& path) {
    struct stat now{};
    struct stat before{};
    if (::lstat((upper + "/" + path).c_str(), &now) < 0) {
        return true;
    }
    for (const std::string& layer : lower) {
        if (::lstat((layer + "/" + path).c_str(), &before) == 0) {
            return now.st_mode == before.st_mode && now.st_uid == before.st_uid &&
                   now.st_gid == before.st_gid;
        }
    }
    return true; // made with what is in it
}

} // namespace

std::vector<std::string> changes_of(const std::string& upper,
                                    const std::vector<std::string>& lower) {
    std::vector<std::pair<std::string, char>> found;
    bool has_mount_points_in_etc = false;
    for (const auto& entry : fs::recursive_directory_iterator(upper)) {
        struct stat info{};
        const std::string path = entry.path().lexically_relative(upper);
        if (::lstat(entry.path().c_str(), &info) < 0) {
            continue; // gone meanwhile
        }
        const char kind = is_whiteout(info) ? 'D' : is_below(lower, path) ? 'C' : 'A';
        if (kind == 'A' && is_mount_point(path, entry)) {
            has_mount_points_in_etc = has_mount_points_in_etc || path.starts_with("etc/");
        } else {
            found.emplace_back(path, kind);
        }
    }
    std::ranges::sort(found);
    const bool is_alone = std::ranges::none_of(
        found, [](const auto& each) { return each.first.starts_with("etc/"); });
    if (has_mount_points_in_etc && is_alone && has_same_owner_and_mode(upper, lower, "etc")) {
        std::erase_if(found, [](const auto& each) { return each.first == "etc"; });
    }
    std::vector<std::string> lines;
    lines.reserve(found.size());
    for (const auto& [path, kind] : found) {
        lines.push_back(std::string(1, kind) + " /" + escape_controls(path));
    }
    return lines;
}

} // namespace sctr::storage
