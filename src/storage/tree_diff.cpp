// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/tree_diff.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/syscalls.hpp"
#include "storage/files.hpp"

namespace sctr::storage {

namespace {

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

/// One thing that the upper directory has.
struct Change {
    std::string path;
    char kind = 'A';

    auto operator<=>(const Change&) const = default;
};

/// Walks the upper directory by fds: of a container that runs it may change at any time.
class Walker {
  public:
    explicit Walker(const std::vector<std::string>& lower) : lower_(lower) {}

    void walk(int directory, const std::string& path) {
        const auto names = names_in(directory);
        if (!names) {
            throw Error("cannot look for changes").at("/" + path).because(errno);
        }
        for (const std::string& name : *names) {
            add(directory, name, path.empty() ? name : path + "/" + name);
        }
    }

    std::vector<Change> found;
    bool has_mount_points_in_etc = false;

  private:
    void add(int parent, const std::string& name, const std::string& path) {
        if (path.size() >= PATH_MAX) { // no layer has it, and there is no end to how deep
            throw Error("cannot look for changes")
                .at("/" + escape_controls(path.substr(0, 80)) + "...")
                .because("a path longer than 4095 bytes");
        }
        const UniqueFd node(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat info{};
        if (!node.valid() || ::fstat(node.get(), &info) < 0) {
            if (errno == ENOENT) {
                return; // gone meanwhile
            }
            throw Error("cannot look for changes").at("/" + escape_controls(path)).because(errno);
        }
        const char kind = is_whiteout(info) ? 'D' : is_below(lower_, path) ? 'C' : 'A';
        if (kind == 'A' && is_mount_point(path, info, node.get())) {
            has_mount_points_in_etc = has_mount_points_in_etc || path.starts_with("etc/");
        } else {
            found.push_back({.path = path, .kind = kind});
        }
        if (S_ISDIR(info.st_mode)) {
            walk(node.get(), path);
        }
    }

    /// What was made to mount on; of an image without one it is no change.
    static bool is_mount_point(const std::string& path, const struct stat& info, int node) {
        constexpr std::array<std::string_view, 4> directories = {
            "dev", "proc", "sys", "run/secrets"};
        constexpr std::array<std::string_view, 3> files = {
            "etc/hosts", "etc/hostname", "etc/resolv.conf"};
        if (S_ISDIR(info.st_mode)) {
            return std::ranges::contains(directories, path) &&
                   names_in(node) == std::vector<std::string>();
        }
        return S_ISREG(info.st_mode) && info.st_size == 0 && std::ranges::contains(files, path);
    }

    const std::vector<std::string>& lower_;
};

} // namespace

std::vector<std::string> changes_of(const std::string& upper,
                                    const std::vector<std::string>& lower) {
    const UniqueFd root(::open(upper.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
        throw Error("cannot look for changes").at(upper).because(errno);
    }
    Walker walker(lower);
    walker.walk(root.get(), "");
    std::vector<Change> found = std::move(walker.found);
    std::ranges::sort(found);
    const bool is_alone = std::ranges::none_of(
        found, [](const Change& each) { return each.path.starts_with("etc/"); });
    if (walker.has_mount_points_in_etc && is_alone &&
        has_same_owner_and_mode(upper, lower, "etc")) {
        std::erase_if(found, [](const Change& each) { return each.path == "etc"; });
    }
    std::vector<std::string> lines;
    lines.reserve(found.size());
    for (const auto& [path, kind] : found) {
        lines.push_back(std::string(1, kind) + " /" + escape_controls(path));
    }
    return lines;
}

} // namespace sctr::storage
