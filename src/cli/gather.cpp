// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/gather.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/strings.hpp"
#include "cli/log.hpp"
#include "cli/mount_flags.hpp"
#include "cli/request_builder.hpp"
#include "cli/secret_flags.hpp"
#include "cli/values.hpp"
#include "cli/volumes_from.hpp"
#include "container/id.hpp"
#include "container/id_maps.hpp"
#include "container/id_range.hpp"
#include "linux/syscalls.hpp"
#include "storage/root.hpp"
#include "storage/secrets.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_text = 16 << 20; // What is longer is no account or env file.

std::string read_all(const UniqueFd& fd, const std::string& path) {
    std::string text;
    std::array<char, 16384> buffer{};
    while (text.size() < max_text) {
        const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            throw Error("cannot read").at(path).because(errno);
        }
        if (count == 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    throw Error("cannot read").at(path).because("longer than 16 MiB");
}

/// Reads a file that the caller names, a pipe or /dev/stdin included.
std::string read_host_file(const std::string& path, const std::string& flag) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid()) {
        throw Error("cannot open '" + path + "'").at(flag).because(errno);
    }
    return read_all(fd, path);
}

std::string kernel_release() {
    struct utsname name{};
    return ::uname(&name) == 0 ? name.release : "";
}

UniqueFd open_root(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
        throw Error("cannot open the root file system '" + path + "'").because(errno);
    }
    return fd;
}

/// Reads a file below a root that is not trusted: links cannot lead out of it, and a pipe or a
/// device in its place is not opened for reading. Empty when there is no such file.
std::string read_in_root(const UniqueFd& root, const char* path) {
    const UniqueFd found(sys::openat2(
        root.get(), path, O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!found.valid()) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return {};
        }
        throw Error("cannot open the container's " + std::string(path)).because(errno);
    }
    struct stat status{};
    if (::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        throw Error("cannot read the container's " + std::string(path)).because("not a file");
    }
    // Only now is it opened: opening a device is enough to make some of them act.
    const std::string handle = "/proc/self/fd/" + std::to_string(found.get());
    const UniqueFd fd(::open(handle.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) {
        throw Error("cannot open the container's " + std::string(path)).because(errno);
    }
    return read_all(fd, path);
}

std::string resolved_rootfs(const std::string& flag) {
    char* const resolved = ::realpath(flag.c_str(), nullptr);
    if (resolved == nullptr) {
        throw Error("cannot use the root file system '" + flag + "'").at("--rootfs").because(errno);
    }
    std::string path(resolved);
    std::free(resolved); // NOLINT: realpath(3) allocates with malloc
    return path;
}

std::string random_id() {
    std::array<unsigned char, 6> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("cannot choose a name").because(errno);
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::map<std::string, std::string> caller_environment() {
    std::map<std::string, std::string> values;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const auto [name, value] = split_once(*entry, '=');
        values.emplace(name, value.value_or(""));
    }
    return values;
}

/// The device node at a path; nothing when it is something else.
std::optional<HostDevice> host_device(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
        return std::nullopt;
    }
    return HostDevice{.path = path,
                      .type = S_ISCHR(status.st_mode) ? 'c' : 'b',
                      .major = ::major(status.st_rdev),
                      .minor = ::minor(status.st_rdev),
                      .mode = status.st_mode & 07777U,
                      .uid = status.st_uid,
                      .gid = status.st_gid};
}

/// Every device below a directory but those that each container has of its own.
std::vector<HostDevice> devices_below(const std::string& directory) {
    constexpr std::array<std::string_view, 12> own = {"/dev/console",
                                                      "/dev/fd",
                                                      "/dev/full",
                                                      "/dev/mqueue",
                                                      "/dev/null",
                                                      "/dev/ptmx",
                                                      "/dev/pts",
                                                      "/dev/random",
                                                      "/dev/shm",
                                                      "/dev/tty",
                                                      "/dev/urandom",
                                                      "/dev/zero"};
    std::vector<HostDevice> found;
    std::error_code failure;
    fs::recursive_directory_iterator entry(
        directory, fs::directory_options::skip_permission_denied, failure);
    for (; !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
        const std::string path = entry->path().string();
        if (std::ranges::contains(own, path)) {
            entry.disable_recursion_pending();
            continue;
        }
        if (fs::is_symlink(entry->symlink_status(failure))) {
            continue;
        }
        if (auto device = host_device(path)) {
            found.push_back(std::move(*device));
        }
    }
    std::ranges::sort(found, {}, &HostDevice::path);
    return found;
}

std::vector<HostDevice> find_devices(const std::string& path) {
    if (auto device = host_device(path)) {
        return {std::move(*device)};
    }
    std::error_code ignored;
    return fs::is_directory(path, ignored) ? devices_below(path) : std::vector<HostDevice>();
}

pid_t running_init(const container::RecordStore& store, const std::string& name) {
    container::check_id(name); // before it becomes a path
    const container::Record record = store.load(name);
    switch (container::current_status(record)) {
    case container::Status::running:
    case container::Status::paused:
    case container::Status::created:
        return record.pid;
    case container::Status::creating:
    case container::Status::stopped:
        break;
    }
    throw Error("cannot join the namespaces of '" + name + "'").because("it is not running");
}

void check_bind_sources(const MountFlags& flags, const std::string& directory) {
    for (const auto& [path, flag] : bind_sources(flags, directory)) {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            Error error("cannot mount '" + path + "'");
            error.at(flag).because(errno);
            if (errno == ENOENT) {
                error.mend("create it first");
            }
            throw error;
        }
    }
}

/// What z and Z ask for has no meaning without SELinux; whoever wonders finds this.
void tell_ignored_labels(const MountFlags& flags) {
    for (const std::string& text : flags.volumes) {
        if (volume_sharing(text) != Sharing::none) {
            log(LogLevel::debug, "no SELinux here: z and Z are ignored in --volume " + text);
        }
    }
}

/// Whether the kernel has the profile. Who is not root may not look: his containers have a user
/// namespace, and no profile unless he names one.
bool is_apparmor_profile_loaded(std::string_view name) {
    std::ifstream profiles("/sys/kernel/security/apparmor/profiles");
    const std::string start = std::string(name) + " (";
    for (std::string line; std::getline(profiles, line);) {
        if (line.starts_with(start)) {
            return true;
        }
    }
    return false;
}

/// CPUs tell their temperature history here; a virtual machine has no such files.
std::vector<std::string> thermal_paths() {
    const std::string cpus = "/sys/devices/system/cpu";
    std::vector<std::string> paths;
    if (::access((cpus + "/cpu0/thermal_throttle").c_str(), F_OK) != 0) {
        return paths;
    }
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(cpus, failure)) {
        const fs::path path = entry.path() / "thermal_throttle";
        if (fs::exists(path, failure)) {
            paths.push_back(path.string());
        }
    }
    std::ranges::sort(paths);
    return paths;
}

/// Our own bounding set. Root may lack some, as in a container of its own.
std::uint64_t bounding_set() {
    std::uint64_t set = 0;
    for (unsigned capability = 0; capability < 64; ++capability) {
        if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
            set |= std::uint64_t{1} << capability;
        }
    }
    return set;
}

void gather_accounts(const std::string& root, RootfsFacts& facts) {
    const UniqueFd root_fd = open_root(root);
    facts.passwd = read_in_root(root_fd, "/etc/passwd");
    facts.group = read_in_root(root_fd, "/etc/group");
}

void gather_environment(const ProcessFlags& flags, RootfsFacts& facts) {
    for (const std::string& path : flags.env_files) {
        facts.env_files.push_back(read_host_file(path, "--env-file"));
    }
    facts.environment = caller_environment();
}

} // namespace

RootfsFacts gather_process(const ProcessFlags& flags, const std::string& root) {
    RootfsFacts facts;
    facts.rootfs = root;
    gather_accounts(root, facts);
    gather_environment(flags, facts);
    if (flags.privileged) {
        facts.capabilities = bounding_set();
    }
    return facts;
}

RootfsFacts gather_limits(const LimitFlags& limits) {
    RootfsFacts facts;
    for (const std::string& path : device_sources({}, limits)) {
        facts.devices[path] = find_devices(path);
    }
    return facts;
}

namespace {

/// What the caller says, beside the root.
void gather_caller(const ProcessFlags& flags, const Caller* caller, RootfsFacts& facts) {
    std::error_code ignored;
    facts.working_directory = fs::current_path(ignored).string();
    if (caller != nullptr) {
        facts.working_directory = caller->working_directory;
        facts.environment = caller->environment;
        facts.env_files = caller->env_files;
    } else {
        gather_environment(flags, facts);
    }
}

/// An account file of an image: the container may have another by now.
std::string account_file(const std::string& upper, const char* path, const std::string& of_image) {
    const UniqueFd root(::open(upper.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    try {
        const std::string own = root.valid() ? read_in_root(root, path) : "";
        return own.empty() ? of_image : own;
    } catch (const Error&) {
        return {}; // removed, or made something else
    }
}

/// The root of a container, which is a directory as it is, or lies above one or above an image.
void gather_root(const RunFlags& flags,
                 const std::optional<storage::ImageUse>& image,
                 RootfsFacts& facts) {
    const storage::Store store = storage::Store::own();
    std::vector<std::string> lower;
    std::string directory;
    if (image) {
        for (const std::string& layer : image->image.layers) {
            lower.push_back(store.layer_tree(layer));
        }
        facts.image = image->name.empty() ? image->image.id.substr(0, 12) : image->name;
        facts.image_digest = image->image.digest;
        facts.image_process = image->image.config;
    } else if (flags.rootfs && !flags.rootfs->empty()) {
        constexpr std::string_view overlay_suffix = ":O";
        directory = *flags.rootfs;
        const bool above = directory.ends_with(overlay_suffix);
        directory = resolved_rootfs(
            above ? directory.substr(0, directory.size() - overlay_suffix.size()) : directory);
        if (above) {
            lower.push_back(directory);
        }
    } else {
        throw Error("nothing to run: no image and no root file system")
            .at("--rootfs")
            .mend("name an image, or the directory that becomes the container's root: --rootfs "
                  "DIR");
    }
    facts.rootfs = directory;
    if (!lower.empty()) {
        const std::string name = flags.name.value_or(facts.random_id);
        const bool keep =
            flags.detach ? !(flags.remove_given && flags.remove) : !flags.remove && !flags.service;
        facts.overlay = storage::ContainerRoot::overlay(store, name, std::move(lower), keep);
        facts.rootfs = storage::ContainerRoot::place(store, name);
    }
    if (image) {
        facts.passwd = account_file(facts.overlay.upper, "/etc/passwd", image->image.passwd);
        facts.group = account_file(facts.overlay.upper, "/etc/group", image->image.group);
    } else {
        gather_accounts(directory, facts);
    }
}

void gather_volumes(const MountFlags& flags,
                    const container::RecordStore& records,
                    const Caller* caller,
                    RootfsFacts& facts) {
    facts.volumes = storage::volumes_directory(storage::Store::own());
    facts.volume_owner = caller != nullptr && !caller->volume_owner.empty()
                             ? caller->volume_owner
                             : random_id() + random_id();
    facts.volumes_from = mounts_of_others(flags.volumes_from, records);
}

/// They are in use until this process ends, which is not before the container.
void gather_images(const MountFlags& flags, RootfsFacts& facts) {
    static std::vector<storage::ImageUse> held;
    const storage::Store store = storage::Store::own();
    for (const std::string& name : mounted_images(flags)) {
        auto found = store.find(name);
        if (!found) {
            throw Error("there is no such image")
                .at("--mount " + name)
                .mend("see 'sctr images'; 'sctr pull' fetches one");
        }
        for (const std::string& layer : found->image.layers) {
            facts.images[name].push_back(store.layer_tree(layer));
        }
        held.push_back(std::move(*found));
    }
}

/// Of the service that this process is, else from the path that was given.
std::string read_credential(const SecretUse& use) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    const std::string given = std::string(directory != nullptr ? directory : "") + "/" + use.name;
    if (directory != nullptr && ::access(given.c_str(), F_OK) == 0) {
        return read_host_file(given, use.flag);
    }
    if (!use.path.empty()) {
        return read_host_file(use.path, use.flag);
    }
    throw Error("there is no such credential")
        .at(use.flag)
        .because(directory != nullptr ? "the service has others" : "this is no service with any")
        .mend("give its file, NAME:PATH, or LoadCredential= to the unit");
}

/// A dry run shows none; those of a service to be are the service's.
void gather_secrets(const RunFlags& flags, bool for_later, RootfsFacts& facts) {
    const auto uses = parse_secrets(flags.mounts);
    if (uses.empty()) {
        return;
    }
    const storage::Store store = storage::Store::own();
    for (const SecretUse& use : uses) {
        std::string text;
        if (use.is_credential) {
            text = for_later || flags.dry_run ? "" : read_credential(use);
        } else {
            text = storage::load_secret(store, use.name); // or says that there is none
        }
        facts.secrets.push_back(flags.dry_run ? "" : std::move(text));
    }
}

} // namespace

RootfsFacts gather(const RunFlags& flags,
                   const container::RecordStore& store,
                   const std::optional<storage::ImageUse>& image,
                   const Caller* caller) {
    RootfsFacts facts;
    if (!flags.name) {
        facts.random_id = random_id();
    }
    gather_root(flags, image, facts);
    gather_caller(flags.process, caller, facts);
    container::OwnIds own = container::own_ids();
    facts.own_uids = std::move(own.uids);
    facts.own_gids = std::move(own.gids);
    if (wants_id_range(flags.namespaces) && facts.own_uids.empty()) {
        facts.reserved_ids = container::reserve_id_range(flags.name.value_or(facts.random_id));
    }
    facts.has_selinux = ::access("/sys/fs/selinux/enforce", F_OK) == 0;
    if (!facts.has_selinux) {
        tell_ignored_labels(flags.mounts);
    }
    check_bind_sources(flags.mounts, facts.working_directory);
    gather_volumes(flags.mounts, store, caller, facts);
    gather_images(flags.mounts, facts);
    gather_secrets(flags, flags.detach && caller == nullptr, facts);
    for (const std::string& path : device_sources(flags.mounts, flags.limits)) {
        facts.devices[path] = find_devices(path);
    }
    for (const std::string& name : joined_containers(flags.namespaces)) {
        facts.containers[name] = running_init(store, name);
    }
    gather_network(flags.network, store, facts);
    if (const std::string file = seccomp_file(flags.privileges); !file.empty()) {
        facts.seccomp_profile = read_host_file(file, "--security-opt seccomp");
        facts.kernel_release = kernel_release();
    }
    if (flags.process.privileged) {
        facts.capabilities = bounding_set();
        facts.all_devices = devices_below("/dev");
    } else {
        facts.thermal_paths = thermal_paths();
        facts.has_own_apparmor_profile = is_apparmor_profile_loaded(default_apparmor_profile);
        if (!flags.privileges.cap_add.empty()) {
            facts.capabilities = bounding_set();
        }
    }
    return facts;
}

} // namespace sctr::cli
