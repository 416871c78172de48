// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/caller.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace sctr::host {

namespace {

/// Source: linux/include/linux/proc_ns.h, PROC_USER_INIT_INO: the same on every kernel.
constexpr ino_t first_user_namespace = 0xEFFFFFFDU;

bool in_other_user_namespace() {
    struct stat ours{};
    if (::stat("/proc/self/ns/user", &ours) != 0 || ours.st_ino == first_user_namespace) {
        return false; // kernels without user namespaces have no such file
    }
    // A host that is a container itself has all of its processes in one of these. Its root may
    // look.
    struct stat hosts{};
    return ::stat("/proc/1/ns/user", &hosts) != 0 || hosts.st_ino != ours.st_ino ||
           hosts.st_dev != ours.st_dev;
}

std::string whole_file(const char* path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

Caller probe_caller() {
    Caller found{.in_user_namespace = in_other_user_namespace(), .uid = ::geteuid()};
    found.is_system = found.uid == 0 && !found.in_user_namespace;
    if (found.in_user_namespace) {
        found.uid = outside_id(whole_file("/proc/self/uid_map"), found.uid).value_or(found.uid);
    }
    return found;
}

} // namespace

const Caller& caller() {
    static const Caller probed = probe_caller();
    return probed;
}

std::optional<std::uint32_t> outside_id(std::string_view id_map, std::uint32_t id) {
    std::istringstream lines{std::string(id_map)};
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t size = 0;
    while (lines >> inside >> outside >> size) {
        if (id >= inside && id - inside < size) {
            return outside + (id - inside);
        }
    }
    return std::nullopt;
}

std::string runtime_directory(const Caller& caller) {
    const char* directory = ::secure_getenv("XDG_RUNTIME_DIR");
    return directory != nullptr && *directory == '/' && !is_of_another(caller, directory)
               ? directory
               : logins_directory(caller);
}

std::string logins_directory(const Caller& caller) {
    return "/run/user/" + std::to_string(caller.uid);
}

bool is_of_another(const Caller& caller, const std::string& path) {
    if (caller.in_user_namespace) {
        return false; // an owner may have no id here
    }
    const std::string own = logins_directory(caller);
    if (path.starts_with("/run/user/") && path != own && !path.starts_with(own + "/")) {
        return true; // also when he has logged out, and it is gone
    }
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_uid != caller.uid : errno == EACCES;
}

std::string data_directory(const Caller& caller) {
    if (caller.is_system) {
        return "/var/lib/sctr";
    }
    // The user's systemd has an environment of its own, without the $XDG_DATA_HOME of a shell.
    const char* home = std::getenv("HOME");
    return std::string(home != nullptr ? home : "") + "/.local/share/sctr";
}

std::string user_manager_cgroup(const Caller& caller) {
    const std::string uid = std::to_string(caller.uid);
    return "/user.slice/user-" + uid + ".slice/user@" + uid + ".service";
}

} // namespace sctr::host
