// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/checks.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/strings.hpp"
#include "host/mount_table.hpp"

namespace sctr::host {
namespace {

constexpr int least_systemd = 252;
constexpr int least_kernel_major = 6;
constexpr int least_kernel_minor = 1;

/// The files of the host that is looked at.
class Files {
  public:
    explicit Files(const CheckInput& input) : root_(input.root) {}

    [[nodiscard]] bool has(const std::string& path) const {
        return ::access((root_ + path).c_str(), F_OK) == 0;
    }

    [[nodiscard]] std::optional<std::string> read(const std::string& path) const {
        std::ifstream file(root_ + path);
        if (!file) {
            return std::nullopt;
        }
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    /// The words of a file, split at blanks; empty when it cannot be read.
    [[nodiscard]] std::vector<std::string> words(const std::string& path) const {
        std::istringstream text(read(path).value_or(""));
        std::vector<std::string> found;
        for (std::string word; text >> word;) {
            found.push_back(word);
        }
        return found;
    }

  private:
    std::string root_;
};

/// The number at the start of a text.
std::optional<int> leading_number(std::string_view text) {
    int number = 0;
    const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc{} ? std::optional(number) : std::nullopt;
}

Check check_systemd(const CheckInput& input) {
    Check check{.name = "systemd"};
    if (input.systemd.empty()) {
        check.state = CheckState::missing;
        check.text = "no answer: " + input.systemd_failure;
        check.mend = "boot this host with systemd as its init, and start D-Bus";
        return check;
    }
    const int version = leading_number(input.systemd).value_or(0);
    check.text = "version " + input.systemd;
    if (version < least_systemd) {
        check.state = CheckState::missing;
        check.text += ", but sctr needs 252";
        check.mend = "upgrade the distribution";
    } else if (version < 255) {
        check.state = CheckState::info;
        check.text += "; from 255 on it takes processes by pidfd, which cannot be mistaken";
    }
    return check;
}

Check check_kernel(const CheckInput& input) {
    const auto [major_text, rest] = split_once(input.kernel, '.');
    const int major = leading_number(major_text).value_or(0);
    const int minor = leading_number(rest.value_or("")).value_or(0);
    if (std::pair(major, minor) >= std::pair(least_kernel_major, least_kernel_minor)) {
        return {.name = "kernel", .text = input.kernel};
    }
    return {.name = "kernel",
            .state = CheckState::missing,
            .text = input.kernel + ", but sctr needs 6.1",
            .mend = "upgrade the kernel"};
}

/// The options of the cgroup2 file system at /sys/fs/cgroup; nothing when it is not there.
std::optional<std::vector<std::string>> cgroup2_options(const Files& files) {
    const auto mounts = parse_mountinfo(files.read("/proc/self/mountinfo").value_or(""));
    if (mounts) {
        for (const MountEntry& mount : *mounts) {
            if (mount.target == "/sys/fs/cgroup" && mount.type == "cgroup2") {
                return mount.options;
            }
        }
    }
    return std::nullopt;
}

Check check_cgroup2(const Files& files) {
    if (cgroup2_options(files)) {
        return {.name = "cgroup v2", .text = "at /sys/fs/cgroup"};
    }
    return {.name = "cgroup v2",
            .state = CheckState::missing,
            .text = "not at /sys/fs/cgroup",
            .mend = "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line"};
}

std::string controllers_file(const CheckInput& input) {
    if (input.uid == 0) {
        return "/sys/fs/cgroup/cgroup.controllers";
    }
    const auto uid = std::to_string(input.uid);
    return "/sys/fs/cgroup/user.slice/user-" + uid + ".slice/user@" + uid +
           ".service/cgroup.controllers";
}

std::vector<Check> check_controllers(const CheckInput& input, const Files& files) {
    constexpr std::array<const char*, 5> wanted = {"memory", "pids", "cpu", "cpuset", "io"};
    const auto offered = files.words(controllers_file(input));
    std::vector<Check> checks;
    std::vector<std::string> present;
    for (const std::string name : wanted) {
        if (std::ranges::contains(offered, name)) {
            present.push_back(name);
            continue;
        }
        Check check{.name = "controller " + name, .state = CheckState::missing};
        if (input.uid == 0) {
            check.text = "not offered by the cgroup v2 tree: limits of this kind are refused";
            check.mend =
                "boot with systemd.unified_cgroup_hierarchy=1 and without cgroup_disable=" + name +
                ", on a kernel that has it";
        } else {
            check.text = "not delegated to your user manager: limits of this kind are refused";
            check.mend = "systemctl edit user@.service, add [Service] and "
                         "Delegate=cpu cpuset io memory pids, then log in again";
        }
        checks.push_back(std::move(check));
    }
    if (!present.empty()) {
        checks.insert(checks.begin(), {.name = "controllers", .text = join(present, " ")});
    }
    return checks;
}

std::vector<Check> check_favordynmods(const Files& files) {
    const auto options = cgroup2_options(files);
    if (!options) {
        return {};
    }
    if (std::ranges::contains(*options, "favordynmods")) {
        return {{.name = "favordynmods", .text = "on: starts do not wait for the kernel's RCU"}};
    }
    return {{.name = "favordynmods",
             .state = CheckState::info,
             .text = "off: each start waits some 10 ms while systemd moves a process into its "
                     "cgroup; on, every unit starts sooner, and fork and exit cost a little more",
             .mend = "mount -o remount,favordynmods /sys/fs/cgroup"}};
}

Check check_bus(const CheckInput& input, const Files& files) {
    if (input.uid == 0) {
        const bool there = files.has("/run/dbus/system_bus_socket");
        return {.name = "D-Bus",
                .state = there ? CheckState::ok : CheckState::missing,
                .text = there ? "system bus" : "no system bus",
                .mend = there ? "" : "systemctl start dbus.socket"};
    }
    for (const std::string socket : {"/bus", "/systemd/private"}) {
        if (!input.runtime_dir.empty() && files.has(input.runtime_dir + socket)) {
            return {.name = "user session", .text = "at " + input.runtime_dir + socket};
        }
    }
    return {.name = "user session",
            .state = CheckState::missing,
            .text = "no bus of your user manager",
            .mend = "loginctl enable-linger " + input.user +
                    ", with the package dbus-user-session, then log in again"};
}

/// Of a plain user whose systemd answers.
std::vector<Check> check_user_manager(const CheckInput& input) {
    if (input.uid == 0 || input.systemd.empty()) {
        return {};
    }
    if (input.cut_off_mend.empty()) {
        return {{.name = "user manager", .text = "on the system's bus"}};
    }
    return {{.name = "user manager",
             .state = CheckState::missing,
             .text = "cut off from the system's bus, which was restarted: nothing can be started "
                     "from a login session",
             .mend = input.cut_off_mend}};
}

bool has_range(const Files& files, const std::string& path, const CheckInput& input) {
    for (const auto& line : split(files.read(path).value_or(""), '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() == 3 &&
            (fields[0] == input.user || fields[0] == std::to_string(input.uid))) {
            return true;
        }
    }
    return false;
}

/// Root maps ids without help; others need a range and the setuid programs that map it.
std::vector<Check> check_subordinate_ids(const CheckInput& input, const Files& files) {
    if (input.uid == 0) {
        return {};
    }
    std::vector<Check> checks;
    if (has_range(files, "/etc/subuid", input) && has_range(files, "/etc/subgid", input)) {
        checks.push_back({.name = "subordinate ids", .text = "in /etc/subuid and /etc/subgid"});
    } else {
        checks.push_back({.name = "subordinate ids",
                          .state = CheckState::missing,
                          .text = "no range for " + input.user + " in /etc/subuid and /etc/subgid",
                          .mend = "usermod --add-subuids 100000-165535 --add-subgids "
                                  "100000-165535 " +
                                  input.user});
    }
    const bool has_tools = files.has("/usr/bin/newuidmap") && files.has("/usr/bin/newgidmap");
    checks.push_back({.name = "newuidmap",
                      .state = has_tools ? CheckState::ok : CheckState::missing,
                      .text = has_tools ? "with newgidmap in /usr/bin" : "not in /usr/bin",
                      .mend = has_tools ? "" : "apt install uidmap, or the like"});
    return checks;
}

/// True when a setting below /proc/sys is there and has this value.
bool setting_is(const Files& files, const std::string& path, const std::string& value) {
    const auto words = files.words("/proc/sys/" + path);
    return words.size() == 1 && words.front() == value;
}

Check check_user_namespaces(const CheckInput& input, const Files& files) {
    Check check{.name = "user namespaces"};
    const auto refuse = [&](const char* text, const char* mend) {
        check.state = input.uid == 0 ? CheckState::info : CheckState::missing;
        check.text = text;
        check.mend = mend;
        return check;
    };
    const auto most = files.words("/proc/sys/user/max_user_namespaces");
    if (most.empty()) {
        return refuse("not in this kernel", "a kernel with CONFIG_USER_NS");
    }
    if (most.front() == "0") {
        return refuse("none allowed", "sysctl -w user.max_user_namespaces=65536");
    }
    if (input.uid != 0 && setting_is(files, "kernel/unprivileged_userns_clone", "0")) {
        return refuse("for root alone", "sysctl -w kernel.unprivileged_userns_clone=1");
    }
    if (input.uid != 0 && setting_is(files, "kernel/apparmor_restrict_unprivileged_userns", "1")) {
        return refuse("restricted by AppArmor",
                      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    }
    check.text = "up to " + most.front();
    return check;
}

Check check_seccomp(const Files& files) {
    const auto actions = files.words("/proc/sys/kernel/seccomp/actions_avail");
    if (std::ranges::contains(actions, "errno") && std::ranges::contains(actions, "allow")) {
        return {.name = "seccomp", .text = join(actions, " ")};
    }
    return {.name = "seccomp",
            .state = CheckState::missing,
            .text = "no system call filters in this kernel",
            .mend = "a kernel with CONFIG_SECCOMP_FILTER"};
}

Check check_lsm(const Files& files) {
    const auto modules = files.words("/sys/kernel/security/lsm");
    return {.name = "LSM",
            .state = modules.empty() ? CheckState::info : CheckState::ok,
            .text = modules.empty() ? "cannot tell: securityfs is not mounted" : modules.front()};
}

Check check_journal(const Files& files) {
    const bool there = files.has("/run/systemd/journal/socket");
    return {.name = "journald",
            .state = there ? CheckState::ok : CheckState::missing,
            .text = there ? "takes logs and events"
                          : "no socket: --log journal does not work, and events are lost",
            .mend = there ? "" : "systemctl start systemd-journald.socket"};
}

/// A service that D-Bus can start.
Check check_service(const Files& files,
                    const char* name,
                    const char* bus_name,
                    const char* without,
                    const char* mend) {
    const bool there =
        files.has(std::string("/usr/share/dbus-1/system-services/") + bus_name + ".service");
    return {.name = name,
            .state = there ? CheckState::ok : CheckState::info,
            .text = there ? "installed" : std::string("not installed: ") + without,
            .mend = there ? "" : mend};
}

Check check_overlay(const Files& files) {
    const bool there =
        std::ranges::contains(files.words("/proc/filesystems"), std::string("overlay"));
    return {.name = "overlayfs",
            .state = there ? CheckState::ok : CheckState::info,
            .text = there ? "in this kernel" : "not loaded: layers of images will need it",
            .mend = there ? "" : "modprobe overlay"};
}

Check check_fuse(const Files& files) {
    const bool there = files.has("/dev/fuse");
    return {.name = "fuse",
            .state = there ? CheckState::ok : CheckState::info,
            .text = there ? "/dev/fuse" : "no /dev/fuse: containers cannot be given it",
            .mend = there ? "" : "modprobe fuse"};
}

} // namespace

std::vector<Check> run_checks(const CheckInput& input) {
    const Files files(input);
    std::vector<Check> checks;
    const auto add = [&checks](std::vector<Check> more) {
        std::ranges::move(more, std::back_inserter(checks));
    };
    add({check_systemd(input), check_kernel(input), check_cgroup2(files)});
    add(check_controllers(input, files));
    add(check_favordynmods(files));
    add({check_bus(input, files)});
    add(check_user_manager(input));
    add(check_subordinate_ids(input, files));
    add({check_user_namespaces(input, files),
         check_seccomp(files),
         check_lsm(files),
         check_journal(files)});
    add({check_service(files,
                       "polkit",
                       "org.freedesktop.PolicyKit1",
                       "only root can be let use the system's manager",
                       "apt install polkitd, or the like"),
         check_service(files,
                       "machined",
                       "org.freedesktop.machine1",
                       "containers are not in machinectl",
                       "apt install systemd-container, or the like"),
         check_overlay(files),
         check_fuse(files)});
    return checks;
}

} // namespace sctr::host
