// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/relabel.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace sctr::sys {

namespace {

/// What the host could not run with under a container's label; podman refuses the same.
constexpr std::array<std::string_view, 24> precious = {
    "/",      "/bin", "/boot", "/dev",  "/etc",     "/home",    "/lib",     "/lib64",
    "/media", "/mnt", "/opt",  "/proc", "/root",    "/run",     "/sbin",    "/srv",
    "/sys",   "/tmp", "/usr",  "/var",  "/var/lib", "/var/log", "/var/run", "/var/tmp"};

Error failure(const std::string& path, int error_number) {
    Error error("cannot relabel for SELinux");
    error.at(path).because(error_number);
    return error;
}

void set_label(int file, const std::string& path, const std::string& label) {
    // By fd, so that nobody can put another file there; fsetxattr(2) does not take O_PATH.
    const std::string handle = "/proc/self/fd/" + std::to_string(file);
    if (::setxattr(handle.c_str(), "security.selinux", label.c_str(), label.size() + 1, 0) < 0 &&
        errno != ENOTSUP) {
        throw failure(path, errno);
    }
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::vector<std::string> names_in(int file, const std::string& path) {
    UniqueFd readable(::openat(file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Directory directory(readable.valid() ? ::fdopendir(readable.get()) : nullptr);
    if (!directory) {
        throw failure(path, errno);
    }
    (void)readable.release(); // the directory's now
    std::vector<std::string> names;
    errno = 0;
    while (const struct dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    if (errno != 0) {
        throw failure(path, errno);
    }
    return names;
}

/// `depth` bounds the fds that are open at once; no real tree is that deep.
void relabel(int parent,
             const std::string& name,
             const std::string& path,
             const std::string& label,
             int depth) {
    const UniqueFd file(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!file.valid() || ::fstat(file.get(), &info) < 0) {
        if (errno == ENOENT) {
            return; // removed meanwhile
        }
        throw failure(path, errno);
    }
    set_label(file.get(), path, label);
    if (!S_ISDIR(info.st_mode)) {
        return;
    }
    if (depth == 0) {
        throw failure(path, ELOOP);
    }
    for (const std::string& child : names_in(file.get(), path)) {
        std::string below = path;
        below.append("/").append(child);
        relabel(file.get(), child, below, label, depth - 1);
    }
}

} // namespace

void relabel_tree(const std::string& path, const std::string& label) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                               &std::free);
    if (!resolved) {
        throw failure(path, errno);
    }
    const std::string real = resolved.get();
    if (std::ranges::contains(precious, real)) {
        throw Error("cannot relabel for SELinux")
            .at(path)
            .because("the host itself needs its label there")
            .mend("name a directory of the container's own, or use --security-opt label=disable");
    }
    constexpr int max_depth = 500;
    relabel(AT_FDCWD, real, real, label, max_depth);
}

} // namespace sctr::sys
