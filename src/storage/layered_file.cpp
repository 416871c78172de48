// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layered_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/syscalls.hpp"

namespace sctr::storage {

namespace {

constexpr std::size_t longest = 1 << 20; // more is no account file

bool is_opaque(int directory) {
    char value = 0;
    return ::fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 ||
           ::fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1;
}

/// Whether a layer hides what those below it have under a path.
bool hides(int root, const std::string& path) {
    std::string so_far;
    for (const std::string& part : split(path, '/')) {
        so_far += (so_far.empty() ? "" : "/") + part;
        const UniqueFd at(sys::openat2(
            root, so_far.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
        struct stat info{};
        if (!at.valid() || ::fstat(at.get(), &info) < 0) {
            return errno != ENOENT;
        }
        if (!S_ISDIR(info.st_mode)) {
            return true; // a whiteout, or a file where a directory was
        }
        const UniqueFd directory(sys::openat2(
            root, so_far.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
        if (directory.valid() && is_opaque(directory.get())) {
            return true;
        }
    }
    return true;
}

std::string read_small(int found) {
    struct stat info{};
    if (::fstat(found, &info) < 0 || !S_ISREG(info.st_mode)) {
        return {};
    }
    // Only now is it opened: opening a device is enough to make some of them act.
    const std::string link = "/proc/self/fd/" + std::to_string(found);
    const UniqueFd file(::open(link.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    std::string text(longest, '\0');
    const ssize_t size = file.valid() ? ::read(file.get(), text.data(), text.size()) : 0;
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

} // namespace

std::string read_layered(const std::vector<std::string>& layers, const std::string& path) {
    for (const std::string& layer : layers) {
        const UniqueFd root(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd found(sys::openat2(root.get(),
                                          path.c_str(),
                                          O_PATH | O_CLOEXEC,
                                          0,
                                          RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
        if (found.valid()) {
            return read_small(found.get());
        }
        if (hides(root.get(), path)) {
            return {};
        }
    }
    return {};
}

} // namespace sctr::storage
