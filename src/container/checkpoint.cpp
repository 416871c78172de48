// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/checkpoint.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <nlohmann/json.hpp>

#include "container/clean_up.hpp"
#include "container/criu.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

constexpr const char* purpose = "checkpoint the container";

std::string read_link(const std::string& path) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// Where `path` leads in the container, whose links its mount point need not have.
std::string resolve_in_container(int root, const std::string& path) {
    const UniqueFd found(sys::openat2(root, path.c_str(), O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
    const std::string real = read_link("/proc/self/fd/" + std::to_string(found.get()));
    return found.valid() && real.starts_with('/') ? real : path;
}

bool is_directory(int root, const std::string& path) {
    const UniqueFd found(sys::openat2(root, path.c_str(), O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
    struct stat info{};
    return found.valid() && ::fstat(found.get(), &info) == 0 && S_ISDIR(info.st_mode);
}

void name_external_mounts(const oci::Spec& config, pid_t pid, criu::Options& options) {
    const std::string path = "/proc/" + std::to_string(pid) + "/root";
    const UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
        throw Error("cannot open the container's root").at(path).because(errno);
    }
    for (const ExternalMount& mount : external_mounts(config)) {
        options.external_mounts.emplace_back(resolve_in_container(root.get(), mount.target),
                                             mount.name);
    }
    for (const std::string& masked : config.linux.masked_paths) {
        if (!is_directory(root.get(), masked)) {
            options.external_mounts.emplace_back(masked, "/dev/null");
        }
    }
}

/// A namespace that the container has joined is not saved: it has to be there when it comes back.
void name_external_namespaces(const oci::Spec& config, criu::Options& options) {
    for (const oci::Namespace& each : config.linux.namespaces) {
        const bool is_network = each.type == oci::NamespaceType::network;
        struct stat info{};
        if (each.path.empty() || (!is_network && each.type != oci::NamespaceType::pid)) {
            continue;
        }
        if (::stat(each.path.c_str(), &info) != 0) {
            throw Error("cannot checkpoint a container whose namespace is gone")
                .at(each.path)
                .because(errno);
        }
        options.external.push_back(std::string(is_network ? "net[" : "pid[") +
                                   std::to_string(info.st_ino) +
                                   (is_network ? "]:extRootNetNS" : "]:extRootPidNS"));
    }
}

/// What the standard fds are, so that restore can give pipes of its own in their places.
void save_descriptors(pid_t pid, int images) {
    auto list = nlohmann::json::array();
    for (const char* number : {"0", "1", "2"}) {
        list.push_back(read_link("/proc/" + std::to_string(pid) + "/fd/" + number));
    }
    const std::string text = list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const UniqueFd file(::openat(
        images, "descriptors.json", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the checkpoint").at("descriptors.json").because(errno);
    }
}

void check_status(const Record& record) {
    const Status status = current_status(record);
    if (status != Status::running && status != Status::paused) {
        throw Error("cannot checkpoint the container")
            .at(record.id)
            .because(std::string("it is ") + to_string(status));
    }
}

/// CRIU itself stops with an assertion where the kernel cannot do this, and the container with it.
void check_features(const CheckpointOptions& options) {
    const bool tracks = options.pre_dump || options.criu.track_memory;
    if (!tracks && !options.criu.lazy_pages) {
        return;
    }
    const criu::Answer offered = criu::Worker(purpose, [] {}, {}).check_features();
    if (tracks && !offered.can_track_memory) {
        throw Error("cannot checkpoint the container")
            .at(options.pre_dump ? "--pre-dump" : "--parent-path")
            .because("this kernel does not track changes of memory (CONFIG_MEM_SOFT_DIRTY)");
    }
    if (options.criu.lazy_pages && !offered.can_fetch_lazily) {
        throw Error("cannot checkpoint the container")
            .at("--lazy-pages")
            .because("this kernel does not let CRIU fetch memory lazily (userfaultfd)");
    }
}

void say_ready(int status_fd) {
    if (status_fd >= 0) {
        (void)!::write(status_fd, "", 1);
        ::close(status_fd);
    }
}

void wait_for_end(pid_t pid) {
    const UniqueFd process(sys::pidfd_open(pid));
    struct pollfd end{process.get(), POLLIN, 0};
    constexpr int patience_ms = 30'000;
    ::poll(&end, process.valid() ? 1 : 0, process.valid() ? patience_ms : 0);
}

} // namespace

void checkpoint(const RecordStore& store, const std::string& id, const CheckpointOptions& options) {
    const LockedRecord directory = store.lock(id);
    const Record record = store.load(id);
    const oci::Spec config = store.load_config(id);
    check_status(record);
    criu::require_root(purpose);
    check_features(options);
    const UniqueFd images = criu::open_directory(options.images, "cannot use the image path");
    const UniqueFd work = options.work.empty()
                              ? UniqueFd()
                              : criu::open_directory(options.work, "cannot use the work path");
    criu::Options request = options.criu;
    request.images_fd = images.get();
    request.work_fd = work.get();
    request.log_file = "dump.log";
    request.config_file = criu::config_file(config.annotations);
    request.root = record.rootfs;
    request.pid = record.pid;
    request.empty_namespaces |= CLONE_NEWNET; // its devices and addresses are its maker's
    if (has_own_cgroup(record)) {
        request.freeze_cgroup = "/sys/fs/cgroup" + record.cgroup;
    }
    name_external_namespaces(config, request);
    if (!options.pre_dump) {
        name_external_mounts(config, record.pid, request);
        save_descriptors(record.pid, images.get());
    }
    criu::Worker worker(purpose, [] {}, {});
    const std::string log = (options.work.empty() ? options.images : options.work) + "/dump.log";
    worker.ask(options.pre_dump ? criu::RequestKind::pre_dump : criu::RequestKind::dump,
               request,
               log,
               [&](const criu::Answer& answer, const UniqueFd& /*file*/) {
                   if (answer.script == "status-ready") {
                       say_ready(options.status_fd);
                   }
               });
    if (!options.pre_dump && !request.leave_running) {
        wait_for_end(record.pid);
        directory.remove();
        clean_up(record, config, options.warn);
    }
}

} // namespace sctr::container
