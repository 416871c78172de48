// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/subgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

constexpr const char* own_annotation = "run.oci.systemd.subgroup";
constexpr const char* delegate_annotation = "run.oci.delegate-cgroup";

std::string subgroup_of(const oci::Spec& spec, const char* annotation) {
    const auto found = spec.annotations.find(annotation);
    if (found == spec.annotations.end()) {
        return {};
    }
    std::string name = found->second;
    while (name.starts_with('/')) {
        name.erase(0, 1);
    }
    const auto parts = split(name, '/');
    const bool leads_out = std::ranges::any_of(parts, [](const std::string& part) {
        return part == "." || part == ".." || (part.empty());
    });
    if (!name.empty() && leads_out) {
        throw Error("cannot use the cgroup")
            .at(std::string("annotation ") + annotation + ": " + found->second)
            .because("it is not the name of a cgroup below the container's scope");
    }
    return name;
}

bool write_text(const std::string& path, const std::string& text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file.valid() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// Those that a parent does not have, or cannot pass on, are not there for its children either.
void pass_controllers_on(const std::string& directory) {
    const auto text = sys::read_small_file(directory + "/cgroup.controllers").value_or("");
    for (std::string name : split(text, ' ')) {
        while (name.ends_with('\n')) {
            name.pop_back();
        }
        if (!name.empty()) {
            write_text(directory + "/cgroup.subtree_control", "+" + name);
        }
    }
}

/// What may be written by whoever a cgroup is delegated to. Source: cgroup-v2.rst, Delegation.
void give_away(const std::string& directory, uid_t owner) {
    for (const char* file : {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"}) {
        if (::chown((directory + file).c_str(), owner, gid_t(-1)) < 0) {
            throw Error("cannot delegate the cgroup").at(directory + file).because(errno);
        }
    }
}

} // namespace

Subgroups subgroups_of(const oci::Spec& spec) {
    Subgroups groups{.own = subgroup_of(spec, own_annotation),
                     .delegated = subgroup_of(spec, delegate_annotation)};
    if (!groups.delegated.empty() && groups.own.empty()) {
        throw Error("cannot delegate a cgroup")
            .at(std::string("annotation ") + delegate_annotation)
            .because(std::string("it is below that of ") + own_annotation + ", which is not there");
    }
    return groups;
}

void enter_subgroup(pid_t pid, const std::string& subgroup, uid_t owner) {
    std::string directory = "/sys/fs/cgroup" + sys::cgroup_of(pid);
    std::vector<std::string> above;
    for (const std::string& part : split(subgroup, '/')) {
        above.push_back(directory);
        directory += "/" + part;
        constexpr mode_t usual = 0755;
        if (::mkdir(directory.c_str(), usual) < 0 && errno != EEXIST) {
            throw Error("cannot make the cgroup").at(directory).because(errno);
        }
    }
    if (owner != uid_t(-1)) {
        give_away(directory, owner);
    }
    if (!write_text(directory + "/cgroup.procs", std::to_string(pid))) {
        throw Error("cannot move the container's process into the cgroup")
            .at(directory)
            .because(errno);
    }
    // Now that no process is in these, which would forbid it.
    for (const std::string& each : above) {
        pass_controllers_on(each);
    }
}

uid_t host_root(const oci::Spec& spec) {
    for (const oci::IdMapping& mapping : spec.linux.uid_mappings) {
        if (mapping.container_id == 0) {
            return mapping.host_id;
        }
    }
    return uid_t(-1);
}

} // namespace sctr::container
