// SPDX-License-Identifier: LGPL-2.1-or-later

/// sctr-init: the first process of a container, and the first of every exec into one.
///
/// Static, without threads, exceptions, JSON or D-Bus, started from a sealed memfd, so that a
/// container never sees a binary of the host (CVE-2019-5736, CVE-2022-0847). It carries out a plan
/// and becomes the user's command; any step that fails is reported and ends it.

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "init/control.hpp"
#include "init/devices.hpp"
#include "init/hooks.hpp"
#include "init/mounts.hpp"
#include "init/namespaces.hpp"
#include "init/process.hpp"
#include "init/procfs.hpp"
#include "init/reaper.hpp"
#include "init/secrets.hpp"
#include "init/terminal.hpp"
#include "init/trees.hpp"
#include "linux/syscalls.hpp"
#include "plan/protocol.hpp"

namespace sctr::init {

namespace {

using plan::protocol::Kind;

template <typename Plan> Plan read_plan() noexcept {
    struct stat info{};
    require(::fstat(plan::protocol::plan_fd, &info) == 0, "cannot read the plan");
    const auto size = static_cast<std::size_t>(info.st_size);
    void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, plan::protocol::plan_fd, 0);
    require(bytes != MAP_FAILED, "cannot read the plan");
    Plan plan;
    if (!plan::codec::decode({static_cast<const char*>(bytes), size}, plan)) {
        fail({.what = "the plan is damaged"}, EBADMSG);
    }
    ::munmap(bytes, size);
    ::close(plan::protocol::plan_fd);
    return plan;
}

/// The host side blocks signals and may ignore some; the command must find the defaults.
void reset_signals() noexcept {
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void join_new_keyring() noexcept {
    if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0) {
        // Kernels without keyrings, and filters that forbid them, have nothing to leak.
        require(errno == ENOSYS || errno == EPERM, "cannot join a new session keyring");
    }
}

void start_session(const plan::ProcessStep& process, int root, bool mount_console) noexcept {
    require(::setsid() >= 0, "cannot make a session");
    if (process.terminal) {
        attach_terminal(root, process, mount_console);
    }
}

/// True when nothing of finish_root could touch what still has to be mounted.
bool can_finish_before(const plan::InitPlan& plan,
                       const std::vector<plan::MountStep>& late) noexcept {
    for (const plan::MountStep& step : late) {
        if (step.kind != plan::MountKind::cgroup) {
            return false; // a bind's source is gone after pivot_root
        }
        for (const auto* paths : {&plan.masked_paths, &plan.readonly_paths}) {
            for (const std::string& path : *paths) {
                if (path == step.target || path.starts_with(step.target + "/") ||
                    step.target.starts_with(path + "/")) {
                    return false;
                }
            }
        }
    }
    return true;
}

/// Returns the files that came with `go`.
std::vector<UniqueFd> enter_scope(const plan::InitPlan& plan,
                                  int root,
                                  const std::vector<plan::MountStep>& cgroup_mounts) noexcept {
    std::vector<UniqueFd> files = await_go();
    enter_cgroup_namespace(plan);
    for (const plan::MountStep& step : cgroup_mounts) {
        mount_one(root, step);
    }
    return files;
}

/// Start of a container. Everything up to `go` runs while systemd is still making the scope, and
/// whatever can be done before it is.
[[noreturn]] void start_container() noexcept {
    auto plan = read_plan<plan::InitPlan>();
    const UniqueFd proc = open_host_proc();
    ::umask(0);

    if (plan.fork_after_join) {
        // The other container's processes must not trace this one while it sees the host's tree.
        require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "cannot become undumpable");
    }
    join_owning_namespaces(plan);
    if (plan.fork_after_join) {
        continue_in_child(plan.fork_flags);
    }
    enter_namespaces(plan, proc.get());
    if (!plan.no_new_keyring) {
        join_new_keyring();
    }
    collect_trees(plan);
    const UniqueFd root = mount_rootfs(plan);
    const auto cgroup_mounts = mount_all_but_cgroup(root.get(), plan.mounts);
    make_devices(root.get(), plan);
    mount_secrets(root.get(), std::move(plan.secrets));
    configure_namespaces(plan, proc.get());
    start_session(plan.process, root.get(), true);
    std::vector<UniqueFd> hook_files;
    if (!plan.hold_before_pivot && can_finish_before(plan, cgroup_mounts)) {
        finish_root(root.get(), plan);
        hook_files = enter_scope(plan, root.get(), cgroup_mounts);
    } else {
        if (plan.hold_before_pivot) {
            send(Kind::prepared);
        }
        hook_files = enter_scope(plan, root.get(), cgroup_mounts);
        run_create_container_hooks(plan, hook_files, root.get());
        finish_root(root.get(), plan);
    }
    reopen_null();
    if (plan.start_socket < 0) {
        await(Kind::start);
    }
    keep_denied_groups(plan.process, proc.get());
    become(plan.process, proc.get(), plan.start_socket, start_hooks(plan, hook_files));
}

/// While this process has the host's capabilities, which lowering it needs.
void set_oom_score(const plan::ProcessStep& process, int proc) noexcept {
    if (process.set_oom_score_adj) {
        const bool is_set =
            write_file(proc, "self/oom_score_adj", std::to_string(process.oom_score_adj));
        require(is_set || (process.is_rootless && errno == EACCES),
                "cannot set oom_score_adj",
                std::to_string(process.oom_score_adj));
    }
}

/// Join of a running container. Until the last step nothing in there may trace this process or
/// open its files, hence not dumpable (CVE-2016-9962).
[[noreturn]] void join_container() noexcept {
    require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "cannot become undumpable");
    auto plan = read_plan<plan::ExecPlan>();
    const UniqueFd proc = open_host_proc();
    if (plan.wait_for_scope) {
        await(Kind::go);
    }
    set_oom_score(plan.process, proc.get());
    require(::setns(plan.init_pidfd, static_cast<int>(plan.namespaces)) == 0,
            "cannot join the container's namespaces");
    if ((plan.namespaces & CLONE_NEWPID) != 0) {
        continue_in_child(0);
    }
    if ((plan.namespaces & CLONE_NEWUSER) != 0) {
        become_namespace_root();
    }
    join_new_keyring();
    const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    require(root.valid(), "cannot open the container's root");
    start_session(plan.process, root.get(), false);
    reopen_null();
    keep_denied_groups(plan.process, proc.get());
    become(plan.process, proc.get(), -1, {});
}

} // namespace

} // namespace sctr::init

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], sctr::init::reaper_word) == 0) {
        sctr::init::run_reaper(argc, argv);
    }
    // A plan that came through somebody else's hands would be carried out with our privileges.
    if (argc != 2 || ::fcntl(sctr::plan::protocol::control_fd, F_GETFD) < 0) {
        static constexpr char text[] = "sctr-init is started by sctr only\n";
        (void)!::write(2, text, sizeof text - 1);
        return 125;
    }
    ::fcntl(sctr::plan::protocol::control_fd, F_SETFD, FD_CLOEXEC);
    sctr::init::report_lack_of_memory();
    sctr::init::reset_signals();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (std::strcmp(argv[1], "exec") == 0) {
        sctr::init::join_container();
    }
    sctr::init::start_container();
}
