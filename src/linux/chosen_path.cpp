// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/chosen_path.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::sys {

namespace {

constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;

/// In a user namespace the host's root, among others, has no id that is seen, and what there is to
/// be done are things that the namespace's ids may do.
bool is_trusted(const struct stat& link) {
    constexpr uid_t overflow = 65534;
    constexpr ino_t initial_user_namespace = 0xEFFFFFFD; // PROC_USER_INIT_INO of the kernel
    struct stat own{};
    return link.st_uid == 0 || link.st_uid == ::geteuid() ||
           (link.st_uid == overflow && ::stat("/proc/self/ns/user", &own) == 0 &&
            own.st_ino != initial_user_namespace);
}

std::string target_of(int link) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(link, "", target.data(), target.size());
    return {target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

} // namespace

UniqueFd open_chosen(const std::string& path, const char* what) {
    constexpr int most_links = 40; // as the kernel's
    const auto parts = split(path, '/');
    std::deque<std::string> rest(parts.begin(), parts.end());
    UniqueFd place(::open(path.starts_with('/') ? "/" : ".", flags | O_DIRECTORY));
    for (int links = 0; place.valid() && !rest.empty();) {
        const std::string part = std::move(rest.front());
        rest.pop_front();
        if (part.empty() || part == ".") {
            continue;
        }
        UniqueFd next(::openat(place.get(), part.c_str(), flags));
        struct stat info{};
        if (!next.valid() || ::fstat(next.get(), &info) < 0) {
            throw Error(what).at(path).because(errno);
        }
        if (!S_ISLNK(info.st_mode)) {
            place = std::move(next);
            continue;
        }
        if (!is_trusted(info)) {
            throw Error(what)
                .at(path)
                .because("'" + escape_controls(part) + "' is a symbolic link of the user " +
                         std::to_string(info.st_uid) + ", who can change where it leads")
                .mend("name what it leads to");
        }
        if (++links > most_links) {
            throw Error(what).at(path).because(ELOOP);
        }
        const std::string target = target_of(next.get());
        if (target.starts_with('/')) {
            place = UniqueFd(::open("/", flags | O_DIRECTORY));
        }
        const auto more = split(target, '/');
        rest.insert(rest.begin(), more.begin(), more.end());
    }
    if (!place.valid()) {
        throw Error(what).at(path).because(errno);
    }
    return place;
}

bool is_hosts_own(int directory) {
    constexpr std::array<const char*, 26> own = {
        "/",      "/bin",     "/boot",    "/dev",     "/etc",    "/home", "/lib",
        "/lib32", "/lib64",   "/libx32",  "/media",   "/mnt",    "/opt",  "/proc",
        "/root",  "/run",     "/sbin",    "/srv",     "/sys",    "/tmp",  "/usr",
        "/var",   "/var/lib", "/var/log", "/var/run", "/var/tmp"};
    struct stat found{};
    if (::fstat(directory, &found) < 0) {
        return false;
    }
    return std::ranges::any_of(own, [&](const char* path) {
        struct stat info{};
        return ::stat(path, &info) == 0 && info.st_dev == found.st_dev &&
               info.st_ino == found.st_ino;
    });
}

} // namespace sctr::sys
