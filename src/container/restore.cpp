// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "container/announce.hpp"
#include "container/checkpoint.hpp"
#include "container/clean_up.hpp"
#include "container/criu.hpp"
#include "container/hooks.hpp"
#include "container/init_process.hpp"
#include "container/launch.hpp"
#include "container/nested_cgroup.hpp"
#include "container/seccomp_cache.hpp"
#include "container/supervise.hpp"
#include "linux/clock.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "linux/terminal.hpp"
#include "linux/unix_socket.hpp"
#include "plan/launch_plan.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

namespace {

constexpr const char* purpose = "restore the container";
constexpr const char* root_name = "root";

/// Makes what is to be mounted on, below a root that may be hostile; CRIU makes nothing.
void make_mount_point(int root, const std::string& path, bool is_directory) {
    const auto parts = split(path.substr(1), '/');
    std::string so_far;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string parent = so_far.empty() ? "/" : so_far;
        so_far += "/" + parts[i];
        const UniqueFd found(
            sys::openat2(root, so_far.c_str(), O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
        if (found.valid()) {
            continue;
        }
        const UniqueFd directory(sys::openat2(
            root, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
        constexpr mode_t usual = 0755;
        if (is_directory || i + 1 < parts.size()) {
            ::mkdirat(directory.get(), parts[i].c_str(), usual);
        } else {
            const UniqueFd file(::openat(directory.get(),
                                         parts[i].c_str(),
                                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                         usual));
        }
    }
}

/// What lies on a tmpfs comes back with it.
bool is_below_tmpfs(const std::string& target, const std::vector<plan::MountStep>& mounts) {
    return std::ranges::any_of(mounts, [&target](const plan::MountStep& each) {
        return each.fstype == "tmpfs" && target.starts_with(each.target + "/");
    });
}

/// In criu, before it runs: a mount namespace of its own in which the rootfs is a mount point, as
/// CRIU wants it, and nothing of it is seen on the host.
void prepare_root(const std::string& rootfs,
                  const std::string& place,
                  const std::vector<plan::MountStep>& mounts) {
    if (::unshare(CLONE_NEWNS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0 ||
        ::mount(rootfs.c_str(), place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0 ||
        ::mount(nullptr, place.c_str(), nullptr, MS_PRIVATE | MS_REC, nullptr) < 0) {
        throw Error("cannot prepare the rootfs").at(rootfs).because(errno);
    }
    const UniqueFd root(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const plan::MountStep& step : mounts) {
        struct stat source{};
        const bool is_file = step.kind == plan::MountKind::bind &&
                             ::stat(step.source.c_str(), &source) == 0 && !S_ISDIR(source.st_mode);
        if (step.target != "/" && !is_below_tmpfs(step.target, mounts)) {
            make_mount_point(root.get(), step.target, !is_file);
        }
    }
}

/// Files that criu inherits, by the names that the checkpoint has for them.
class Inherited {
  public:
    /// The pipes that the container had as its standard fds become ours.
    void add_standard(const std::string& images, criu::Options& options) {
        const auto text = sys::read_small_file(images + "/descriptors.json");
        const auto list = nlohmann::json::parse(text.value_or(""), nullptr, false);
        for (std::size_t i = 0; list.is_array() && i < list.size() && i <= 2; ++i) {
            const std::string name = list[i].is_string() ? list[i].get<std::string>() : "";
            if (name.find("pipe:") != std::string::npos) {
                options.inherited.emplace_back(name, static_cast<int>(i));
            }
        }
    }

    void add_namespace(const oci::Namespace& each, const char* name, criu::Options& options) {
        UniqueFd fd(::open(each.path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd.valid()) {
            throw Error("cannot open the namespace").at(each.path).because(errno);
        }
        options.inherited.emplace_back(
            name, criu::Worker::first_inherited + static_cast<int>(files_.size()));
        numbers_.push_back(fd.get());
        files_.push_back(std::move(fd));
    }

    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }

  private:
    std::vector<UniqueFd> files_;
    std::vector<int> numbers_;
};

void join_namespaces(const oci::Spec& config, Inherited& inherited, criu::Options& options) {
    for (const oci::Namespace& each : config.linux.namespaces) {
        if (each.path.empty()) {
            continue;
        }
        switch (each.type) {
        case oci::NamespaceType::network:
            inherited.add_namespace(each, "extRootNetNS", options);
            break;
        case oci::NamespaceType::pid:
            inherited.add_namespace(each, "extRootPidNS", options);
            break;
        case oci::NamespaceType::ipc:
            options.joined_namespaces.emplace_back("ipc", each.path);
            break;
        case oci::NamespaceType::uts:
            options.joined_namespaces.emplace_back("uts", each.path);
            break;
        case oci::NamespaceType::mount:
        case oci::NamespaceType::user:
        case oci::NamespaceType::cgroup:
        case oci::NamespaceType::time:
            throw Error("cannot restore a container that joins this namespace")
                .at(each.path)
                .because("CRIU cannot do that");
        }
    }
}

UniqueFd open_images(const std::string& path) {
    UniqueFd images(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!images.valid()) {
        throw Error("cannot open the checkpoint").at(path).because(errno);
    }
    return images;
}

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path);
}

/// One restore, step by step.
class Restoration {
  public:
    Restoration(const plan::Request& request, const RestoreOptions& options)
        : request_(request), options_(options),
          plan_(plan::make(
              request, facts_for(request), SeccompCache(RecordStore(options.state_root)))) {}

    int run() {
        const RecordStore store(options_.state_root);
        (void)open_images(options_.images);
        if (!options_.work.empty()) {
            (void)criu::open_directory(options_.work, "cannot use the work path");
        }
        const LockedRecord directory = store.create(request_.id);
        undo_.add([&] { clean_up(request_.spec, hook_state(request_, 0), options_.warn); });
        undo_.add([&] { directory.remove(); });
        criu::Options asked = ask_for(directory.directory());
        InitProcess process = bring_back(asked, directory);
        const Record record = make_record(process.child().pid());
        directory.save(record);
        directory.save_config(request_.spec);
        write_pid_file(record.pid);
        announce({Event::create, Event::start}, record, request_.spec, {.log = "engine"});
        if (options_.detach) {
            process.child().release();
            undo_.dismiss();
            return 0;
        }
        directory.unlock();
        const int status = supervise(process,
                                     signals_,
                                     {.interactive = true,
                                      .stop_signal = request_.stop_signal,
                                      .manager = manager_ ? &*manager_ : nullptr,
                                      .memory_events = {},
                                      .unit = plan_.unit.name})
                               .exit_status;
        undo_.run(); // it is over: what is taken back after a failure goes now, too
        return status;
    }

  private:
    criu::Options ask_for(const std::string& directory) {
        root_ = directory + "/" + root_name;
        if (::mkdir(root_.c_str(), 0755) < 0) {
            throw Error("cannot make the place of the rootfs").at(root_).because(errno);
        }
        criu::Options asked = options_.criu;
        asked.log_file = "restore.log";
        asked.config_file = criu::config_file(request_.spec.annotations);
        asked.root = root_;
        asked.evasive_devices = true;
        asked.restore_sibling = true;
        asked.empty_namespaces |= CLONE_NEWNET;
        for (const ExternalMount& mount : external_mounts(request_.spec)) {
            asked.external_mounts.emplace_back(mount.name, mount.source);
        }
        asked.external_mounts.emplace_back("/dev/null", "/dev/null"); // of masked files
        inherited_.add_standard(options_.images, asked);
        join_namespaces(request_.spec, inherited_, asked);
        return asked;
    }

    void enter_nested_cgroup(const sys::Child& criu) {
        cgroup_id_ = nested::make(plan_.cgroup, undo_).id;
        nested::enter(plan_.cgroup.path, criu.pid());
        cgroup_ = plan_.cgroup.path;
    }

    /// Puts criu into the container's cgroup, where the processes are then born.
    void start_scope(sys::Child& criu) {
        if (!plan_.cgroup.path.empty()) {
            enter_nested_cgroup(criu);
            return;
        }
        if (plan_.unit.name.empty()) {
            return;
        }
        manager_.emplace(systemd::own_instance());
        manager_->start_scope(plan_.unit,
                              {.pidfd = criu.pidfd(), .pid = criu.pid(), .controller = true});
        undo_.add([this] {
            try {
                manager_->stop_abandoned_scope(plan_.unit.name);
            } catch (const Error&) {
                // It has ended with its processes, or systemd is gone.
            }
        });
        manager_->wait_for_scope();
        cgroup_ = sys::cgroup_of(criu.pid());
    }

    InitProcess bring_back(criu::Options& asked, const LockedRecord& directory) {
        criu::Worker worker(
            purpose,
            [this] { prepare_root(plan_.init.rootfs, root_, plan_.init.mounts); },
            inherited_.numbers());
        // In criu's own mount namespace: it mounts below the directory that it works in.
        const std::string root = "/proc/" + std::to_string(worker.child().pid()) + "/root";
        const UniqueFd images = open_images(root + absolute(options_.images));
        const UniqueFd work =
            options_.work.empty() ? UniqueFd() : open_images(root + absolute(options_.work));
        asked.images_fd = images.get();
        asked.work_fd = work.get();
        start_scope(worker.child());
        if (!cgroup_.empty()) {
            asked.cgroup_root = cgroup_;
        } else {
            asked.cgroup_mode = criu::CgroupMode::ignore;
        }
        const std::string log =
            (options_.work.empty() ? options_.images : options_.work) + "/restore.log";
        UniqueFd terminal;
        const auto notified = [&](const criu::Answer& answer, UniqueFd file) {
            if (answer.script == "setup-namespaces") {
                run_hooks(answer.script_pid);
            } else if (answer.script == "orphan-pts-master") {
                terminal = std::move(file);
            }
        };
        const criu::Answer answer = worker.ask(criu::RequestKind::restore, asked, log, notified);
        ::rmdir((directory.directory() + "/" + root_name).c_str());
        sys::Child child(answer.restored, UniqueFd(sys::pidfd_open(answer.restored)));
        if (!options_.console_socket.empty() && terminal.valid()) {
            sys::send_fd_to(options_.console_socket,
                            terminal.get(),
                            "/dev/ptmx",
                            "cannot hand the terminal over");
            terminal.reset();
        }
        return {std::move(child), std::move(terminal)};
    }

    void run_hooks(pid_t pid) {
        if (request_.spec.hooks != oci::Hooks{}) {
            run_runtime_hooks(request_.spec,
                              hook_state(request_, pid),
                              open_hook_output(request_.spec),
                              signals_);
        }
    }

    [[nodiscard]] Record make_record(pid_t pid) const {
        Record record;
        record.id = request_.id;
        record.unit = plan_.unit.name;
        record.cgroup = cgroup_;
        record.cgroup_id = cgroup_id_;
        record.description = request_.description;
        record.pid = pid;
        record.start_time = sys::process_start_time(pid).value_or(0);
        record.boot_id = sys::boot_id();
        record.rootfs = plan_.init.rootfs;
        record.owner = ::geteuid();
        record.bundle = request_.bundle;
        record.created_usec = sys::now_usec();
        record.started = true;
        record.kept = true;
        record.stop_signal = request_.stop_signal;
        record.stop_timeout_usec = request_.stop_timeout.count();
        return record;
    }

    void write_pid_file(pid_t pid) {
        if (options_.pid_file.empty()) {
            return;
        }
        const std::string text = std::to_string(pid);
        const UniqueFd file(::open(options_.pid_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                                   0644));
        if (!file.valid() ||
            ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            throw Error("cannot write the file").at(options_.pid_file).because(errno);
        }
    }

    const plan::Request& request_;
    const RestoreOptions& options_;
    plan::LaunchPlan plan_;
    const sys::SignalQueue signals_;
    std::optional<systemd::Manager> manager_;
    Inherited inherited_;
    std::string root_;            ///< where the rootfs is for CRIU
    std::string cgroup_;          ///< of the scope, or below a service
    std::uint64_t cgroup_id_ = 0; ///< of the latter
    UndoList undo_;
};

} // namespace

int restore(const plan::Request& request, const RestoreOptions& options) {
    criu::require_root(purpose);
    if (options.detach) {
        check_console(request.spec.process, options.console_socket);
    }
    try {
        return Restoration(request, options).run();
    } catch (const Interrupted& interrupted) {
        return 128 + interrupted.signal;
    }
}

} // namespace sctr::container
