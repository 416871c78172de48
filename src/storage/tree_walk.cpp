// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "linux/chosen_path.hpp"
#include "linux/syscalls.hpp"
#include "storage/files.hpp"
#include "storage/layer_tree.hpp"

namespace sctr::storage {

namespace {

/// Removes what is no directory; returns the names of directories.
std::vector<std::string> remove_files(DIR* directory, const std::string& path) {
    std::vector<std::string> rest;
    const int fd = ::dirfd(directory);
    while (const dirent* entry = ::readdir(directory)) {
        const std::string name(entry->d_name);
        if (name == "." || name == "..") {
            continue;
        }
        if (entry->d_type != DT_DIR && ::unlinkat(fd, name.c_str(), 0) == 0) {
            continue;
        }
        if (entry->d_type != DT_DIR && errno != EISDIR) {
            throw Error("cannot remove").at(path + "/" + name).because(errno);
        }
        rest.push_back(name);
    }
    return rest;
}

/// One directory on the way down.
struct Level {
    Directory directory;
    std::string name;
    std::vector<std::string> below;
};

Level open_level(int parent, const std::string& name) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = ::openat(parent, name.c_str(), flags);
    // A directory that its owner has closed to himself: overlayfs keeps such a one.
    if (fd < 0 && errno == EACCES && ::fchmodat(parent, name.c_str(), 0700, 0) == 0) {
        fd = ::openat(parent, name.c_str(), flags);
    }
    return {.directory = Directory(fd < 0 ? nullptr : ::fdopendir(fd)), .name = name};
}

/// A tree may be deeper than this process may have files open: what is too deep is moved up.
class TooDeep {
  public:
    static constexpr std::size_t most_levels = 64;

    void move_up(std::vector<Level>& levels, const std::string& child) {
        const int from = ::dirfd(levels.back().directory.get());
        const int to = ::dirfd(levels.front().directory.get());
        for (;;) {
            const std::string name = ".deep-" + std::to_string(next_++);
            if (::renameat2(from, child.c_str(), to, name.c_str(), RENAME_NOREPLACE) == 0) {
                levels.front().below.push_back(name);
                return;
            }
            if (errno == ENOENT) {
                return;
            }
            // Its owner has closed it to himself, and moving it changes its "..".
            if (errno == EACCES && last_closed_ != child) {
                last_closed_ = child;
                if (::fchmodat(from, child.c_str(), 0700, 0) < 0) {
                    throw Error("cannot remove").at(child).because(errno);
                }
            } else if (errno != EEXIST) {
                throw Error("cannot remove").at(child).because(errno);
            }
        }
    }

  private:
    unsigned next_ = 0;
    std::string last_closed_;
};

/// Copies what a directory looks like from outside.
void copy_looks(int from, int to, const std::string& path, bool rootless) {
    struct stat info{};
    if (::fstat(from, &info) < 0 || ::fchown(to, info.st_uid, info.st_gid) < 0 ||
        ::fchmod(to, info.st_mode & 07777U) < 0) {
        throw Error("cannot unpack the layer").at("/" + path).because(errno);
    }
    std::array<char, 65536> names{};
    std::array<char, 65536> value{};
    const ssize_t size = ::flistxattr(from, names.data(), names.size());
    for (ssize_t at = 0; at < size;) {
        const std::string name(names.data() + at);
        at += static_cast<ssize_t>(name.size()) + 1;
        if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") ||
            name == "security.selinux") {
            continue;
        }
        const ssize_t length = ::fgetxattr(from, name.c_str(), value.data(), value.size());
        if (length >= 0 &&
            ::fsetxattr(to, name.c_str(), value.data(), static_cast<std::size_t>(length), 0) < 0 &&
            errno != ENOTSUP && !(rootless && errno == EPERM)) {
            throw Error("cannot unpack the layer").at("/" + path).because(errno);
        }
    }
    const std::array<struct timespec, 2> times{info.st_atim, info.st_mtim};
    if (::futimens(to, times.data()) < 0) {
        throw Error("cannot unpack the layer").at("/" + path).because(errno);
    }
}

UniqueFd open_below(const std::string& layer, const std::string& path) {
    const UniqueFd root(::open(layer.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return UniqueFd(sys::openat2(root.get(),
                                 path.empty() ? "." : path.c_str(),
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
}

} // namespace

void remove_tree(int directory, const std::string& name) {
    std::vector<Level> levels;
    std::string path = name;
    const auto enter = [&](int parent, const std::string& child) {
        Level level = open_level(parent, child);
        if (!level.directory) {
            if (errno == ENOENT && levels.empty()) {
                return;
            }
            throw Error("cannot remove").at(path).because(errno);
        }
        level.below = remove_files(level.directory.get(), path);
        levels.push_back(std::move(level));
    };
    if (::unlinkat(directory, name.c_str(), 0) == 0) {
        return;
    }
    enter(directory, name);
    TooDeep deep;
    while (!levels.empty()) {
        Level& last = levels.back();
        if (!last.below.empty()) {
            const std::string child = std::move(last.below.back());
            last.below.pop_back();
            if (levels.size() >= TooDeep::most_levels) {
                deep.move_up(levels, child);
                continue;
            }
            enter(::dirfd(last.directory.get()), child);
            continue;
        }
        const std::string done = last.name;
        levels.pop_back();
        const int parent = levels.empty() ? directory : ::dirfd(levels.back().directory.get());
        if (::unlinkat(parent, done.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
            throw Error("cannot remove").at(path).because(errno);
        }
    }
}

namespace {

constexpr const char* cannot_give = "cannot change the owner";

/// A path has so many parts at most: nobody could name what is deeper.
constexpr int most_depth = PATH_MAX / 2;

struct Owner {
    uid_t uid;
    gid_t gid;
};

void chown_below(int directory, const std::string& path, const Owner& owner, int depth);

/// By fd, of whatever is there now: who can write to the directory swaps names as he likes.
void chown_node(int node, const std::string& path, const Owner& owner, int depth) {
    struct stat info{};
    if (::fstat(node, &info) < 0 || ::fchownat(node, "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0) {
        throw Error(cannot_give).at(path).because(errno);
    }
    if (S_ISDIR(info.st_mode)) {
        chown_below(node, path, owner, depth);
    }
}

void chown_below(int directory, const std::string& path, const Owner& owner, int depth) {
    if (depth == 0) {
        throw Error(cannot_give)
            .at(path.substr(0, 80) + "...")
            .because("directories in directories without end");
    }
    const UniqueFd listed(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names = listed.valid() ? names_in(listed.get()) : std::nullopt;
    if (!names) {
        throw Error(cannot_give).at(path).because(errno);
    }
    for (const std::string& name : *names) {
        const std::string below = path + "/" + name;
        const UniqueFd node(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (node.valid()) {
            chown_node(node.get(), below, owner, depth - 1);
        } else if (errno != ENOENT) { // removed meanwhile
            throw Error(cannot_give).at(below).because(errno);
        }
    }
}

} // namespace

void chown_tree(const std::string& path, uid_t uid, gid_t gid) {
    const UniqueFd top = sys::open_chosen(path, cannot_give);
    if (sys::is_hosts_own(top.get())) {
        throw Error(cannot_give)
            .at(path)
            .because("it is the host's own")
            .mend("drop U, or name a directory below it");
    }
    chown_node(top.get(), path, {.uid = uid, .gid = gid}, most_depth);
}

void mark_opaque(const std::string& layer, const std::set<std::string>& opaque) {
    for (const std::string& path : opaque) {
        const UniqueFd directory = open_below(layer, path);
        if (!directory.valid() ||
            ::fsetxattr(directory.get(), "trusted.overlay.opaque", "y", 1, 0) < 0) {
            throw Error("cannot unpack the layer").at("/" + path).because(errno);
        }
    }
}

void adopt_implied(const std::string& layer,
                   const std::set<std::string>& implied,
                   const std::vector<std::string>& lower,
                   bool rootless) {
    for (const std::string& path : implied) {
        const UniqueFd to = open_below(layer, path);
        if (!to.valid()) {
            continue; // replaced by a later member
        }
        for (const std::string& below : lower) {
            const UniqueFd from = open_below(below, path);
            if (from.valid()) {
                copy_looks(from.get(), to.get(), path, rootless);
            }
            if (from.valid() || errno != ENOENT) {
                break; // what is no directory there hides those below
            }
        }
    }
}

} // namespace sctr::storage
