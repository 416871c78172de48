// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/nested_cgroup.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"
#include "plan/cgroups_path.hpp"
#include "plan/device_filter.hpp"
#include "systemd/manager.hpp"

namespace sctr::container::nested {

namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);

std::string directory_of(const std::string& cgroup) {
    return "/sys/fs/cgroup" + cgroup;
}

/// 0 or errno.
int write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return errno;
    }
    return 0;
}

std::string unit_cgroup(const std::string& cgroup) {
    const auto found = plan::cgroup_of_unit_above(cgroup);
    if (!found) {
        throw Error("cannot use the cgroup").at(cgroup).because("it is below no service");
    }
    return *found;
}

std::vector<std::string> controllers_of(const std::string& cgroup) {
    std::vector<std::string> names;
    const auto text = sys::read_small_file(directory_of(cgroup) + "/cgroup.controllers");
    for (const std::string& line : split(text.value_or(""), '\n')) {
        for (const std::string& name : split(line, ' ')) {
            if (!name.empty()) {
                names.push_back(name);
            }
        }
    }
    return names;
}

/// The cgroups from that of the unit to the one above `cgroup`.
std::vector<std::string> path_to(const std::string& cgroup) {
    std::vector<std::string> path{unit_cgroup(cgroup)};
    std::vector<std::string> parts = split(cgroup.substr(path.front().size() + 1), '/');
    parts.pop_back();
    for (const std::string& part : parts) {
        path.push_back(path.back() + "/" + part);
    }
    return path;
}

/// A file whose controller the service does not have, or that this kernel does not have, limits
/// nothing, as with systemd; any other refusal counts.
void write_limits(const plan::CgroupPlan& plan, const std::vector<std::string>& of_service) {
    const std::vector<std::string> own = controllers_of(plan.path);
    for (const plan::CgroupFile& file : plan.files) {
        const std::string controller = file.name.substr(0, file.name.find('.'));
        if (!std::ranges::contains(of_service, controller)) {
            continue;
        }
        Error error("cannot set the limit " + file.name);
        error.at(plan.path);
        if (!std::ranges::contains(own, controller)) {
            throw error.because("its controller cannot be passed on where processes are")
                .mend("give the service DelegateSubgroup=");
        }
        const int problem = write_file(directory_of(plan.path) + "/" + file.name, file.text);
        if (problem != 0 && problem != ENOENT) {
            throw error.because(problem);
        }
    }
}

int bpf(int command, union bpf_attr& attributes) {
    return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

/// The filter that a cgroup has; an invalid fd without one.
UniqueFd attached_filter(int cgroup) {
    std::uint32_t id = 0;
    union bpf_attr query{};
    query.query.target_fd = static_cast<std::uint32_t>(cgroup);
    query.query.attach_type = BPF_CGROUP_DEVICE;
    query.query.prog_ids = reinterpret_cast<std::uintptr_t>(&id);
    query.query.prog_cnt = 1;
    if (bpf(BPF_PROG_QUERY, query) < 0 || query.query.prog_cnt == 0) {
        return {};
    }
    union bpf_attr open{};
    open.prog_id = id;
    return UniqueFd(bpf(BPF_PROG_GET_FD_BY_ID, open));
}

UniqueFd load_filter(const plan::StringPairs& devices) {
    const std::vector<struct bpf_insn> program = plan::device_filter(devices);
    constexpr const char* license = "LGPL";
    union bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insn_cnt = static_cast<std::uint32_t>(program.size());
    load.insns = reinterpret_cast<std::uintptr_t>(program.data());
    load.license = reinterpret_cast<std::uintptr_t>(license);
    return UniqueFd(bpf(BPF_PROG_LOAD, load));
}

/// What systemd does for DeviceAllow=. A plain user may not, and has no right to make nodes either.
void filter_devices(int cgroup, const plan::CgroupPlan& plan) {
    if (!host::caller().is_system) {
        return;
    }
    const UniqueFd earlier = attached_filter(cgroup);
    if (!plan.filters_devices && !earlier.valid()) {
        return;
    }
    const UniqueFd filter = plan.filters_devices ? load_filter(plan.devices) : UniqueFd();
    union bpf_attr attach{};
    attach.target_fd = static_cast<std::uint32_t>(cgroup);
    attach.attach_bpf_fd =
        static_cast<std::uint32_t>(plan.filters_devices ? filter.get() : earlier.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    if (plan.filters_devices) {
        // Services in the container may have filters too: what they allow must be allowed here.
        attach.attach_flags = BPF_F_ALLOW_MULTI;
        if (earlier.valid()) {
            attach.attach_flags |= BPF_F_REPLACE;
            attach.replace_bpf_fd = static_cast<std::uint32_t>(earlier.get());
        }
    }
    const int command = plan.filters_devices ? BPF_PROG_ATTACH : BPF_PROG_DETACH;
    if ((plan.filters_devices && !filter.valid()) || bpf(command, attach) < 0) {
        throw Error("cannot restrict the container's devices").at(plan.path).because(errno);
    }
}

UniqueFd open_directory(const std::string& cgroup) {
    UniqueFd directory(::open(directory_of(cgroup).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error("cannot open the cgroup").at(cgroup).because(errno);
    }
    return directory;
}

/// Waits for a line of cgroup.events, which the kernel announces.
bool await_event(int directory, const std::string& line) {
    const UniqueFd file(::openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC));
    const auto end = steady_clock::now() + patience;
    for (;;) {
        std::array<char, 256> text{};
        const ssize_t size =
            file.valid() ? ::pread(file.get(), text.data(), text.size() - 1, 0) : -1;
        if (size <= 0 || std::string_view(text.data()).contains(line)) {
            return size > 0;
        }
        const auto rest =
            std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
        struct pollfd item{file.get(), POLLPRI, 0};
        if (rest <= 0 || ::poll(&item, 1, static_cast<int>(rest)) == 0) {
            return false;
        }
    }
}

void set_frozen(const std::string& cgroup, bool frozen) {
    const std::string wanted = frozen ? "1" : "0";
    if (const int problem = write_file(directory_of(cgroup) + "/cgroup.freeze", wanted);
        problem != 0) {
        throw Error(frozen ? "cannot freeze the container" : "cannot thaw the container")
            .at(cgroup)
            .because(problem);
    }
    if (!await_event(open_directory(cgroup).get(), "frozen " + wanted)) {
        throw Error(frozen ? "cannot freeze the container" : "cannot thaw the container")
            .at(cgroup)
            .because("a process of it hangs in the kernel");
    }
}

/// The ones below first.
bool remove_tree(const fs::path& directory) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory, none)) {
        if (entry.is_directory(none)) {
            remove_tree(entry.path());
        }
    }
    return ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
}

/// False when there is one already.
bool make_directory(const std::string& cgroup) {
    constexpr mode_t usual = 0755;
    if (::mkdir(directory_of(cgroup).c_str(), usual) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        throw Error("cannot make the cgroup").at(cgroup).because(errno);
    }
    return false;
}

/// One that nobody else has a say in: what an earlier container has left may have its limits, or be
/// frozen, or be another's.
void make_own_directory(const std::string& cgroup) {
    if (make_directory(cgroup)) {
        return;
    }
    if (!remove_tree(directory_of(cgroup)) && errno != EBUSY) {
        throw Error("cannot make the cgroup").at(cgroup).because(errno);
    }
    if (!make_directory(cgroup)) {
        throw Error("cannot make the cgroup").at(cgroup).because("it is in use");
    }
}

/// The cgroups above, as far as they are missing, with the controllers passed on.
void make_those_above(const std::vector<std::string>& above,
                      const std::vector<std::string>& controllers,
                      UndoList& undo) {
    for (const std::string& cgroup : above) {
        if (cgroup != above.front() && make_directory(cgroup)) {
            undo.add([path = directory_of(cgroup)] { ::rmdir(path.c_str()); });
        }
        for (const std::string& name : controllers) {
            // Refused where processes are; a limit that needs it says so.
            write_file(directory_of(cgroup) + "/cgroup.subtree_control", "+" + name);
        }
    }
}

/// The number of a cgroup, which no later one of the same path has.
std::uint64_t id_of(int directory) {
    struct stat info{};
    return ::fstat(directory, &info) == 0 ? info.st_ino : 0;
}

/// Whoever owns a tree may take limits off in it and move processes.
bool belongs_to_caller(const std::string& cgroup) {
    struct stat info{};
    return ::stat(directory_of(cgroup).c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

} // namespace

bool is_ours(const std::string& unit_cgroup) {
    if (!(sys::cgroup_of(::getpid()) + "/").starts_with(unit_cgroup + "/")) {
        return false;
    }
    const auto status =
        systemd::Manager(systemd::own_instance()).unit_status(plan::unit_of_cgroup(unit_cgroup));
    return status && status->delegate && status->control_group == unit_cgroup &&
           belongs_to_caller(unit_cgroup);
}

Cgroup make(const plan::CgroupPlan& plan, UndoList& undo) {
    const std::vector<std::string> above = path_to(plan.path);
    const std::vector<std::string> controllers = controllers_of(above.front());
    constexpr int tries = 100;
    for (int left = tries; left > 0; --left) {
        try {
            make_those_above(above, controllers, undo);
            make_own_directory(plan.path);
            break;
        } catch (const Error& error) {
            // Whoever made them for a start that failed takes them away again.
            if (error.error_number() != ENOENT || left == 1) {
                throw;
            }
        }
    }
    Cgroup made{.directory = open_directory(plan.path)};
    made.id = id_of(made.directory.get());
    undo.add([path = plan.path, id = made.id] { remove(path, id); });
    write_limits(plan, controllers);
    filter_devices(made.directory.get(), plan);
    return made;
}

void enter(const std::string& cgroup, pid_t pid) {
    const int problem = write_file(directory_of(cgroup) + "/cgroup.procs", std::to_string(pid));
    if (problem != 0) {
        throw Error("cannot move the process into the cgroup").at(cgroup).because(problem);
    }
}

void update(const plan::CgroupPlan& plan, bool with_devices) {
    write_limits(plan, controllers_of(unit_cgroup(plan.path)));
    if (with_devices) {
        filter_devices(open_directory(plan.path).get(), plan);
    }
}

void freeze(const std::string& cgroup) {
    set_frozen(cgroup, true);
}

void thaw(const std::string& cgroup) {
    set_frozen(cgroup, false);
}

void remove(const std::string& cgroup, std::uint64_t id) {
    const UniqueFd directory(
        ::open(directory_of(cgroup).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || (id != 0 && id_of(directory.get()) != id)) {
        return; // systemd removes it with the service, and somebody may have made another
    }
    const UniqueFd kill(::openat(directory.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
    if (!kill.valid() || ::write(kill.get(), "1", 1) != 1) {
        if (errno == ENOENT || errno == ENODEV) {
            return; // systemd was quicker
        }
        throw Error("cannot end what is in the cgroup").at(cgroup).because(errno);
    }
    await_event(directory.get(), "populated 0");
    if (!remove_tree(directory_of(cgroup))) {
        throw Error("cannot remove the cgroup").at(cgroup).because(errno);
    }
}

} // namespace sctr::container::nested
