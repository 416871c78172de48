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
#include "init/reaper.hpp"
#include "init/scheduling.hpp"
#include "linux/program.hpp"

namespace sctr::init {

namespace {

void set_limits(const plan::ProcessStep& process) noexcept {
    for (const plan::RlimitStep& limit : process.rlimits) {
        const struct rlimit value{limit.soft, limit.hard};
        if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &value) != 0) {
            const int error_number = errno;
            const bool is_raise = error_number == EPERM && limit.soft <= limit.hard;
            fail({.what = "cannot set resource limit",
                  .where = limit.name,
                  .why = is_raise ? "a hard limit above the caller's own takes CAP_SYS_RESOURCE on "
                                    "the host"
                                  : ""},
                 error_number);
        }
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
    SeccompHandover handover;
    const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp.flags, &program);
    const bool notifies = (seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
    require(notifies ? result >= 0 : result == 0, "cannot load the seccomp filter");
    if (notifies) {
        handover.hand_over(static_cast<int>(result));
    }
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

/// Where a plain user has mapped his own group alone, nobody may change groups, so that none of his
/// can be dropped which denies him something. Source: user_namespaces(7), /proc/PID/setgroups.
bool may_set_groups(int proc) noexcept {
    char text[8] = {};
    const UniqueFd file = open_below(proc, "self/setgroups", O_RDONLY, MagicLinks::refuse);
    return !file.valid() || ::read(file.get(), text, sizeof text) <= 0 ||
           !std::string_view(text, sizeof text).starts_with("deny");
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

void capset(const plan::CapabilitySets& sets) noexcept {
    struct __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    struct __user_cap_data_struct data[2] = {};
    for (unsigned half = 0; half < 2; ++half) {
        data[half].effective = static_cast<std::uint32_t>(sets.effective >> (32 * half));
        data[half].permitted = static_cast<std::uint32_t>(sets.permitted >> (32 * half));
        data[half].inheritable = static_cast<std::uint32_t>(sets.inheritable >> (32 * half));
    }
    require(::syscall(SYS_capset, &header, data) == 0, "cannot set the capabilities");
}

void set_capabilities(const plan::CapabilitySets& sets) noexcept {
    capset(sets);
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

/// For a directory with the error that execve(2) would give: engines look for its text.
[[noreturn]] void refuse_command(const std::string& command, int error_number) noexcept {
    const bool directory = error_number == EISDIR;
    fail({.what = "cannot execute the command",
          .where = command,
          .why = directory ? "Permission denied (it is a directory)" : "",
          .exit_code = 126},
         error_number);
}

/// Looks the command up as execvp(3) does, but tells "not found" from "not executable".
std::string find_command(const plan::ProcessStep& process) noexcept {
    const std::string& command = process.args.front();
    if (command.find('/') != std::string::npos) {
        if (!is_executable(command)) {
            if (errno != ENOENT && errno != ENOTDIR) {
                refuse_command(command, errno);
            }
            fail({.what = "command not found", .where = command, .exit_code = 127}, errno);
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
        refuse_command(command, found_error);
    }
    fail({.what = "exec: \"" + command + "\"",
          .why = "executable file not found in $PATH",
          .exit_code = 127},
         0);
}

[[noreturn]] void
execute(const plan::ProcessStep& process, const std::string& path, int program) noexcept {
    if (program >= 0) {
        become_reaper(program, path, process.args, process.env);
        fail({.what = "cannot execute the init of --init"}, errno);
    }
    const std::vector<char*> args = sys::argument_pointers(process.args);
    const std::vector<char*> env = sys::argument_pointers(process.env);
    ::execve(path.c_str(), args.data(), env.data());
    fail_to_execute(path);
}

/// The death signal is set too late when the supervisor is gone already.
void end_with_supervisor() noexcept {
    struct pollfd control{control_socket(), POLLIN, 0};
    if (::poll(&control, 1, 0) > 0 && (control.revents & POLLHUP) != 0) {
        ::_exit(125);
    }
}

/// Puts the fds that the command inherits (-1: none) in their places, those of `kept` (-1: none)
/// after them, and closes all others. For good, not at exec: the kernel looks the command and its
/// interpreter up before it closes anything, and a path like /proc/self/fd/4/.. would lead to the
/// host (CVE-2024-21626).
void arrange_fds(const std::vector<std::int32_t>& preserved, std::span<int* const> kept) noexcept {
    int next = 3;
    const int first_free = next + static_cast<int>(preserved.size() + kept.size());
    const auto lift = [first_free](int fd) {
        const int lifted = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
        require(lifted >= 0, "cannot duplicate a file descriptor");
        return lifted;
    };
    // First out of each other's way.
    std::vector<int> lifted;
    lifted.reserve(preserved.size());
    for (const std::int32_t fd : preserved) {
        lifted.push_back(fd < 0 ? -1 : lift(fd));
    }
    for (int* fd : kept) {
        *fd = *fd < 0 ? -1 : lift(*fd);
    }
    for (const int fd : lifted) {
        if (fd < 0) {
            ::close(next++);
        } else {
            require(::dup2(fd, next++) >= 0, "cannot preserve a file descriptor");
        }
    }
    for (int* fd : kept) {
        if (*fd >= 0) {
            require(::dup3(*fd, next, O_CLOEXEC) >= 0, "cannot move a file descriptor");
            *fd = next++;
        }
    }
    require(::close_range(static_cast<unsigned>(next), ~0U, 0) == 0,
            "cannot close file descriptors");
}

/// The capabilities while the command is being prepared: without no_new_privs loading a seccomp
/// filter takes CAP_SYS_ADMIN, and it is loaded last, so that it need not allow the rest.
plan::CapabilitySets with_seccomp_right(const plan::ProcessStep& process) noexcept {
    plan::CapabilitySets sets = process.capabilities;
    if (!process.no_new_privileges && !process.seccomp.program.empty()) {
        sets.permitted |= std::uint64_t{1} << CAP_SYS_ADMIN;
        sets.effective |= std::uint64_t{1} << CAP_SYS_ADMIN;
    }
    return sets;
}

/// What is left between a process that is prepared and one that may execute what is not ours.
void confine(const plan::ProcessStep& process) noexcept {
    const plan::CapabilitySets prepared = with_seccomp_right(process);
    load_seccomp(process.seccomp);
    if (prepared.permitted != process.capabilities.permitted ||
        prepared.effective != process.capabilities.effective) {
        capset(process.capabilities);
    }
}

/// With the command's own ids, limits and filter: what they execute is the container's, and must
/// not have more than the container.
void run_start_hooks(const StartHooks& hooks, const plan::ProcessStep& process) noexcept {
    if (hooks.steps.empty()) {
        return;
    }
    // Or they could reach the control socket through our /proc.
    require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "cannot become undumpable");
    // Who answers for the command has no part in them: what would be notified fails.
    plan::ProcessStep confined = process;
    confined.seccomp.flags &= ~std::uint32_t{SECCOMP_FILTER_FLAG_NEW_LISTENER};
    run_hooks(hooks.steps,
              hooks.io,
              {.prepare =
                   [](const void* step) noexcept {
                       confine(*static_cast<const plan::ProcessStep*>(step));
                   },
               .context = &confined});
    for (const int fd : {hooks.io.state, hooks.io.out, hooks.io.err}) {
        ::close(fd);
    }
}

} // namespace

void fail_to_execute(const std::string& path) noexcept {
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

void keep_denied_groups(plan::ProcessStep& process, int proc) noexcept {
    if (!process.is_rootless || !process.set_groups || may_set_groups(proc)) {
        return;
    }
    const bool has_them = std::ranges::all_of(
        process.additional_gids, [&](std::uint32_t group) { return group == process.gid; });
    if (!has_them) {
        fail({.what = "cannot set the additional groups",
              .why = "the user namespace has its maker's own group alone"},
             0);
    }
    process.set_groups = false;
}

void become(const plan::ProcessStep& process,
            int proc,
            int start_socket,
            StartHooks hooks) noexcept {
    set_labels(process, proc);
    int control = control_socket();
    int program =
        process.run_init ? ::openat(proc, "self/exe", O_PATH | O_CLOEXEC) : -1; // this one
    require(program >= 0 || !process.run_init, "cannot open sctr-init");
    const std::array kept{
        &control, &start_socket, &program, &hooks.io.state, &hooks.io.out, &hooks.io.err};
    arrange_fds(process.preserved_fds, kept);
    set_control_socket(control);
    set_scheduling(process.scheduling);
    create_cwd(process);
    ::umask(process.umask);
    // Before the ids change where root may enter, after it where only the user may (root squash).
    const bool entered = enter_cwd(process.cwd);
    require(entered || errno == EACCES, "cannot enter the working directory", process.cwd);
    if (process.no_new_privileges) {
        require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "cannot set no_new_privs");
    }
    set_limits(process);
    drop_bounding_set(process.capabilities.bounding);
    set_ids(process);
    set_capabilities(with_seccomp_right(process));
    if (!entered) {
        require(enter_cwd(process.cwd), "cannot enter the working directory", process.cwd);
    }
    // After the ids: changing them clears it.
    require(::prctl(PR_SET_PDEATHSIG, process.die_with_supervisor ? SIGKILL : 0, 0, 0, 0) == 0,
            "cannot set the death signal");
    if (process.die_with_supervisor) {
        end_with_supervisor();
    }
    const std::string path = find_command(process);
    if (start_socket >= 0) {
        await_start(start_socket);
    }
    run_start_hooks(hooks, process);
    // Before the filter, which need not allow it.
    send(plan::protocol::Kind::executing);
    confine(process);
    execute(process, path, program);
}

} // namespace sctr::init
