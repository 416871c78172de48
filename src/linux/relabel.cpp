// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/relabel.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "linux/chosen_path.hpp"

namespace sctr::sys {

namespace {

constexpr const char* cannot_relabel = "cannot relabel for SELinux";

Error failure(const std::string& path, int error_number) {
    Error error(cannot_relabel);
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

void relabel(int file, const std::string& path, const std::string& label, int depth);

void relabel_below(int parent,
                   const std::string& name,
                   const std::string& path,
                   const std::string& label,
                   int depth) {
    const UniqueFd file(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (file.valid()) {
        relabel(file.get(), path, label, depth);
    } else if (errno != ENOENT) { // removed meanwhile
        throw failure(path, errno);
    }
}

/// `depth` bounds the fds that are open at once; no real tree is that deep.
void relabel(int file, const std::string& path, const std::string& label, int depth) {
    struct stat info{};
    if (::fstat(file, &info) < 0) {
        throw failure(path, errno);
    }
    set_label(file, path, label);
    if (!S_ISDIR(info.st_mode)) {
        return;
    }
    if (depth == 0) {
        throw failure(path, ELOOP);
    }
    for (const std::string& child : names_in(file, path)) {
        std::string below = path;
        below.append("/").append(child);
        relabel_below(file, child, below, label, depth - 1);
    }
}

} // namespace

void relabel_tree(const std::string& path, const std::string& label) {
    const UniqueFd top = open_chosen(path, cannot_relabel);
    if (is_hosts_own(top.get())) {
        throw Error(cannot_relabel)
            .at(path)
            .because("the host itself needs its label there")
            .mend("name a directory of the container's own, or use --security-opt label=disable");
    }
    constexpr int max_depth = 500;
    relabel(top.get(), path, label, max_depth);
}

} // namespace sctr::sys
