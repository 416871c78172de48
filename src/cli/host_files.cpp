// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/host_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "linux/syscalls.hpp"

namespace sctr::cli {
namespace {

constexpr std::size_t max_text = 16 << 20; // What is longer is no account or env file.

std::string read_all(const UniqueFd& fd, const std::string& path) {
    std::string text;
    std::array<char, 16384> buffer{};
    while (text.size() < max_text) {
        const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            throw Error("cannot read").at(path).because(errno);
        }
        if (count == 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    throw Error("cannot read").at(path).because("longer than 16 MiB");
}

} // namespace

std::string read_host_file(const std::string& path, const std::string& flag) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid()) {
        throw Error("cannot open '" + path + "'").at(flag).because(errno);
    }
    return read_all(fd, path);
}

UniqueFd open_root(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
        throw Error("cannot open the root file system '" + path + "'").because(errno);
    }
    return fd;
}

std::string read_in_root(const UniqueFd& root, const char* path) {
    const UniqueFd found(sys::openat2(
        root.get(), path, O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!found.valid()) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return {};
        }
        throw Error("cannot open the container's " + std::string(path)).because(errno);
    }
    struct stat status{};
    if (::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        throw Error("cannot read the container's " + std::string(path)).because("not a file");
    }
    // Only now is it opened: opening a device is enough to make some of them act.
    const std::string handle = "/proc/self/fd/" + std::to_string(found.get());
    const UniqueFd fd(::open(handle.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) {
        throw Error("cannot open the container's " + std::string(path)).because(errno);
    }
    return read_all(fd, path);
}

} // namespace sctr::cli
