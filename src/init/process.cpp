// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "init/control.hpp"
#include "init/paths.hpp"
#include "init/procfs.hpp"
#include "init/scheduling.hpp"

namespace sctr::init {

namespace {

void set_limits(const plan::ProcessStep& process) noexcept {
    for (const plan::RlimitStep& limit : process.rlimits) {
        const struct rlimit value{limit.soft, limit.hard};
        require(::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &value) == 0,
                "cannot set resource limit",
                limit.name);
    }
}

void set_labels(const plan::ProcessStep& process, int proc) noexcept {
    if (!process.apparmor_profile.empty()) {
        require(write_file(proc, "self/attr/apparmor/exec", "exec " + process.apparmor_profile),
                "cannot set the AppArmor profile",
                process.apparmor_profile);
    }
    if (!process.selinux_label.empty()) {
        require(write_file(proc, "self/attr/exec", process.selinux_label),
                "cannot set the SELinux label",
                process.selinux_label);
    }
}

void load_seccomp(const plan::SeccompStep& seccomp) noexcept {
    if (seccomp.program.empty()) {
        return;
    }
    static_assert(sizeof(struct sock_filter) == sizeof(std::uint64_t));
    std::vector<struct sock_filter> filter(seccomp.program.size());
    std::memcpy(
        filter.data(), seccomp.program.data(), seccomp.program.size() * sizeof(std::uint64_t));
    struct sock_fprog program{};
    program.len = static_cast<unsigned short>(filter.size());
    program.filter = filter.data();
    require(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp.flags, &program) == 0,
            "cannot load the seccomp filter");
}

void drop_bounding_set(std::uint64_t keep) noexcept {
    for (unsigned capability = 0; capability < 64; ++capability) {
        if ((keep >> capability & 1U) != 0) {
            continue;
        }
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            // The first number that the kernel does not know ends the list.
            require(errno == EINVAL, "cannot drop a capability from the bounding set");
            return;
        }
    }
}

void set_ids(const plan::ProcessStep& process) noexcept {
    require(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "cannot keep capabilities");
    if (process.set_groups) {
        require(::setgroups(process.additional_gids.size(), process.additional_gids.data()) == 0,
                "cannot set the additional groups");
    }
    require(::setresgid(process.gid, process.gid, process.gid) == 0,
            "cannot set the group id",
            std::to_string(process.gid));
    require(::setresuid(process.uid, process.uid, process.uid) == 0,
            "cannot set the user id",
            std::to_string(process.uid));
    require(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0, "cannot stop keeping capabilities");
}

void set_capabilities(const plan::CapabilitySets& sets) noexcept {
    struct __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    struct __user_cap_data_struct data[2] = {};
    for (unsigned half = 0; half < 2; ++half) {
        data[half].effective = static_cast<std::uint32_t>(sets.effective >> (32 * half));
        data[half].permitted = static_cast<std::uint32_t>(sets.permitted >> (32 * half));
        data[half].inheritable = static_cast<std::uint32_t>(sets.inheritable >> (32 * half));
    }
    require(::syscall(SYS_capset, &header, data) == 0, "cannot set the capabilities");
    require(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0,
            "cannot clear the ambient capabilities");
    for (unsigned capability = 0; capability < 64; ++capability) {
        if ((sets.ambient >> capability & 1U) != 0) {
            require(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0,
                    "cannot raise an ambient capability",
                    std::to_string(capability));
        }
    }
}

/// A working directory outside the root would be a way out (CVE-2024-21626); the kernel's getcwd
/// fails for one, or names it "(unreachable)".
void check_cwd(const std::string& cwd) noexcept {
    char here[PATH_MAX];
    // The system call itself: glibc's getcwd takes "(unreachable)" for a reason to search upwards.
    if (::syscall(SYS_getcwd, here, sizeof here) <= 0 || here[0] != '/') {
        fail({.what = "the working directory is outside the container's root", .where = cwd}, 0);
    }
}

bool enter_cwd(const std::string& cwd) noexcept {
    if (::chdir(cwd.c_str()) != 0) {
        return false;
    }
    check_cwd(cwd);
    return true;
}

void create_cwd(const plan::ProcessStep& process) noexcept {
    if (!process.create_cwd || ::access(process.cwd.c_str(), F_OK) == 0) {
        return;
    }
    const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd made = make_directory(root.get(), process.cwd);
    require(made.valid(), "cannot make the working directory", process.cwd);
    require(::fchownat(made.get(), "", process.uid, process.gid, AT_EMPTY_PATH) == 0,
            "cannot own the working directory",
            process.cwd);
}

std::string environment_value(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& variable : environment) {
        if (variable.starts_with(name) && variable[name.size()] == '=') {
            return variable.substr(name.size() + 1);
        }
    }
    return {};
}

bool is_executable(const std::string& path) noexcept {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        return false;
    }
    if (S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return false;
    }
    return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

/// Looks the command up as execvp(3) does, but tells "not found" from "not executable".
std::string find_command(const plan::ProcessStep& process) noexcept {
    const std::string& command = process.args.front();
    if (command.find('/') != std::string::npos) {
        if (!is_executable(command)) {
            const bool missing = errno == ENOENT || errno == ENOTDIR;
            fail({.what = missing ? "command not found" : "cannot execute the command",
                  .where = command,
                  .exit_code = missing ? 127 : 126},
                 errno);
        }
        return command;
    }
    const std::string path = environment_value(process.env, "PATH");
    int found_error = 0;
    std::size_t begin = 0;
    while (!command.empty() && begin <= path.size()) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::string directory = path.substr(begin, end - begin);
        const std::string candidate = (directory.empty() ? "." : directory) + "/" + command;
        if (is_executable(candidate)) {
            return candidate;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            found_error = errno;
        }
        begin = end + 1;
    }
    if (found_error != 0) {
        fail({.what = "cannot execute the command", .where = command, .exit_code = 126},
             found_error);
    }
    fail({.what = "exec: \"" + command + "\"",
          .why = "executable file not found in $PATH",
          .exit_code = 127},
         0);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        result.push_back(const_cast<char*>(text.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

[[noreturn]] void execute(const plan::ProcessStep& process, const std::string& path) noexcept {
    const std::vector<char*> args = pointers(process.args);
    const std::vector<char*> env = pointers(process.env);
    ::execve(path.c_str(), args.data(), env.data());
    const int error_number = errno;
    switch (error_number) {
    case ENOEXEC:
        fail({.what = "cannot execute the command",
              .where = path,
              .why = "it is for another architecture, or a script without a #! line",
              .exit_code = 126},
             error_number);
    case ENOENT:
        fail({.what = "cannot execute the command",
              .where = path,
              .why = "the interpreter or the dynamic loader that it names is not in the container",
              .exit_code = 127},
             error_number);
    default:
        fail({.what = "cannot execute the command", .where = path, .exit_code = 126}, error_number);
    }
}

/// The death signal is set too late when the supervisor is gone already.
void end_with_supervisor() noexcept {
    struct pollfd control{plan::protocol::control_fd, POLLIN, 0};
    if (::poll(&control, 1, 0) > 0 && (control.revents & POLLHUP) != 0) {
        ::_exit(125);
    }
}

/// Closes what no hook needs.
void close_all_but(std::array<int, 3> kept) noexcept {
    std::ranges::sort(kept);
    unsigned first = plan::protocol::control_fd + 1;
    bool ok = true;
    for (const int fd : kept) {
        if (fd < 0) {
            continue;
        }
        const auto number = static_cast<unsigned>(fd);
        ok = ok && (number == first || ::close_range(first, number - 1, 0) == 0);
        first = number + 1;
    }
    require(ok && ::close_range(first, ~0U, 0) == 0, "cannot close file descriptors");
}

/// With the command's own ids, limits and filter: what they execute is the container's, and must
/// not have more than the container.
void run_start_hooks(const StartHooks& hooks, const plan::ProcessStep& process) noexcept {
    if (hooks.steps.empty()) {
        return;
    }
    // Or they could reach the control socket through our /proc.
    require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "cannot become undumpable");
    HookBirth birth;
    if (process.no_new_privileges) {
        birth = {.prepare =
                     [](const void* seccomp) noexcept {
                         load_seccomp(*static_cast<const plan::SeccompStep*>(seccomp));
                     },
                 .context = &process.seccomp};
    }
    run_hooks(hooks.steps, hooks.io, birth);
    close_all_but({-1, -1, -1});
}

} // namespace

void become(const plan::ProcessStep& process, int proc, const StartHooks& hooks) noexcept {
    set_labels(process, proc);
    // Closed for good, not at exec: the kernel looks the command and its interpreter up before it
    // closes anything, and a path like /proc/self/fd/4/.. would lead to the host (CVE-2024-21626).
    close_all_but({hooks.io.state, hooks.io.out, hooks.io.err});
    set_scheduling(process.scheduling);
    create_cwd(process);
    ::umask(process.umask);
    // Before the ids change where root may enter, after it where only the user may (root squash).
    const bool entered = enter_cwd(process.cwd);
    require(entered || errno == EACCES, "cannot enter the working directory", process.cwd);
    if (process.no_new_privileges) {
        require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "cannot set no_new_privs");
    } else {
        load_seccomp(process.seccomp); // needs CAP_SYS_ADMIN without no_new_privs
    }
    set_limits(process);
    drop_bounding_set(process.capabilities.bounding);
    set_ids(process);
    set_capabilities(process.capabilities);
    if (!entered) {
        require(enter_cwd(process.cwd), "cannot enter the working directory", process.cwd);
    }
    // After the ids: changing them clears it.
    require(::prctl(PR_SET_PDEATHSIG, process.die_with_supervisor ? SIGKILL : 0, 0, 0, 0) == 0,
            "cannot set the death signal");
    if (process.die_with_supervisor) {
        end_with_supervisor();
    }
    run_start_hooks(hooks, process);
    const std::string path = find_command(process);
    if (process.no_new_privileges) {
        load_seccomp(process.seccomp); // last, so that the filter need not allow the set-up
    }
    execute(process, path);
}

} // namespace sctr::init
