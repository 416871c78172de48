// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

/// The name with dots between its parts, as sysctl(8) reads it: if the first separator is a slash,
/// slashes separate and dots are literal ("net/ipv4/conf/eth0.1" is "net.ipv4.conf.eth0/1").
std::string with_dots(std::string name) {
    const auto separator = name.find_first_of("./");
    if (separator != std::string::npos && name[separator] == '/') {
        std::ranges::for_each(name, [](char& c) { c = c == '/' ? '.' : c == '.' ? '/' : c; });
    }
    return name;
}

/// Whether every part names a file; "", "." and ".." (a slash here is a dot there) would lead out
/// of the directory that the name promises.
bool has_plain_parts(const std::string& dotted) {
    return std::ranges::all_of(split(dotted, '.'), [](const std::string& part) {
        return !part.empty() && part != "/" && part != "//";
    });
}

/// What the kernel keeps apart for each IPC namespace.
bool belongs_to_ipc(const std::string& dotted) {
    constexpr std::array<std::string_view, 8> names = {
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    };
    return dotted.starts_with("fs.mqueue.") || std::ranges::find(names, dotted) != names.end();
}

NamespaceType namespace_of(const Place& place, const std::string& dotted) {
    if (dotted.starts_with("net.")) {
        return NamespaceType::network;
    }
    if (belongs_to_ipc(dotted)) {
        return NamespaceType::ipc;
    }
    if (dotted == "kernel.hostname" || dotted == "kernel.domainname") {
        return NamespaceType::uts;
    }
    reject(place,
           "not kept apart by any namespace, so it would change the host; valid: net.*, "
           "fs.mqueue.*, kernel.msgmax, .msgmnb, .msgmni, .sem, .shmall, .shmmax, .shmmni, "
           ".shm_rmid_forced, .domainname");
}

} // namespace

void check_sysctl(const Place& place, const Spec& spec) {
    for (const auto& [name, value] : spec.linux.sysctl) {
        const Place here(place, name);
        const auto dotted = with_dots(name);
        require(has_plain_parts(dotted), here, "not the name of a kernel parameter");
        const auto type = namespace_of(here, dotted);
        require(find_namespace(spec.linux, type) != nullptr,
                here,
                "would change the host; it needs a namespace of type " +
                    std::string(to_string(type)));
        require(dotted != "kernel.hostname", here, "use the field hostname");
        require(dotted != "kernel.domainname" || spec.domainname.empty(),
                here,
                "in conflict with the field domainname");
    }
}

} // namespace sctr::oci
