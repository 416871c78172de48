// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/facts.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "host/caller.hpp"

namespace sctr::host {

namespace {

constexpr std::uint32_t tty_group = 5; // of terminals, in every distribution

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

void require_systemd() {
    // The test of sd_booted(3).
    if (::faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        throw Error("this host is not run by systemd")
            .at("/run/systemd/system")
            .because(errno)
            .mend("sctr asks systemd for every container's scope; boot with systemd as init");
    }
}

void require_cgroup2(const std::string& root) {
    struct statfs info{};
    if (::statfs(root.c_str(), &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) {
        throw Error("cgroup v2 is not mounted")
            .at(root)
            .because("sctr supports the unified hierarchy only")
            .mend("boot with systemd.unified_cgroup_hierarchy=1");
    }
}

bool has_tty_group() {
    std::ostringstream map;
    map << std::ifstream("/proc/self/gid_map").rdbuf();
    return outside_id(map.str(), tty_group).has_value();
}

} // namespace

Facts probe() {
    Facts facts;
    require_systemd();
    require_cgroup2(facts.cgroup_root);
    const Caller& who = caller();
    facts.is_root = ::geteuid() == 0;
    facts.is_rootless = !who.is_system;
    facts.in_user_namespace = who.in_user_namespace;
    if (who.in_user_namespace) {
        facts.has_tty_group = has_tty_group();
    }
    const std::string manager = who.is_system ? "" : user_manager_cgroup(who);
    for (auto& name : split(first_line(facts.cgroup_root + manager + "/cgroup.controllers"), ' ')) {
        if (!name.empty()) {
            facts.controllers.insert(std::move(name));
        }
    }
    facts.has_apparmor = first_line("/sys/module/apparmor/parameters/enabled") == "Y";
    facts.has_selinux = ::access("/sys/fs/selinux/enforce", F_OK) == 0;
    facts.has_resctrl = ::access("/sys/fs/resctrl/schemata", F_OK) == 0;
    facts.last_capability =
        parse_uint(first_line("/proc/sys/kernel/cap_last_cap")).value_or(facts.last_capability);
    return facts;
}

} // namespace sctr::host
