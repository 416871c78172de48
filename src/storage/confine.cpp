// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/confine.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>

#include "base/error.hpp"
#include "storage/layer_mount.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_confine = "cannot confine sctr-layer";

constexpr auto filter = std::to_array<std::uint64_t>({
#include "layer_filter.inc" // written by gen_layer_filter
});

[[noreturn]] void fail(const char* what) {
    const int error_number = errno;
    throw Error(cannot_confine).at(what).because(error_number);
}

/// Not through the old ones, which nobody has closed.
std::vector<UniqueFd> open_anew(const std::vector<int>& directories) {
    std::vector<UniqueFd> opened;
    for (const int directory : directories) {
        opened.emplace_back(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!opened.back().valid()) {
            fail("what is to be written");
        }
    }
    return opened;
}

/// A mount of its own of a directory that is to be written; an invalid fd for one on a mount that
/// is nowhere attached, which the kernel copies since Linux 6.15 only and mount_layers() has
/// closed.
UniqueFd clone_tree(int directory) {
    UniqueFd tree(::open_tree(directory,
                              "",
                              unsigned{AT_EMPTY_PATH} | unsigned{AT_RECURSIVE} | OPEN_TREE_CLONE |
                                  OPEN_TREE_CLOEXEC));
    if (!tree.valid() && errno != EINVAL) {
        fail("what is to be written");
    }
    return tree;
}

void set_attributes(int tree, const char* path, std::uint64_t attributes) {
    struct mount_attr wanted{};
    wanted.attr_set = attributes;
    const unsigned flags = unsigned{AT_RECURSIVE} | (*path == '\0' ? unsigned{AT_EMPTY_PATH} : 0U);
    if (::mount_setattr(tree, path, flags, &wanted, sizeof wanted) < 0) {
        fail("its mounts");
    }
}

/// All that is mounted becomes read-only here, which holds for owners, modes and xattrs, too, of
/// which Landlock knows nothing. Devices that are unpacked cannot be opened.
std::vector<UniqueFd> close_mounts(const std::vector<int>& write) {
    constexpr std::uint64_t harmless = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    std::vector<UniqueFd> trees;
    trees.reserve(write.size());
    for (const int directory : write) {
        trees.push_back(clone_tree(directory));
    }
    set_attributes(AT_FDCWD, "/", MOUNT_ATTR_RDONLY | harmless);
    std::vector<UniqueFd> opened;
    for (std::size_t i = 0; i < write.size(); ++i) {
        if (trees[i].valid()) {
            set_attributes(trees[i].get(), "", harmless);
            attach_tree(trees[i].get());
        }
        auto anew = open_anew({trees[i].valid() ? trees[i].get() : write[i]});
        opened.push_back(std::move(anew.front()));
    }
    return opened;
}

/// The rights that this kernel's Landlock knows, as of what "landlock_create_ruleset" says it is.
std::uint64_t rights_of(int abi) {
    std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1; // the first version
    rights |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    rights |= abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    return rights;
}

void allow(int rules, int what, std::uint64_t rights) {
    struct stat info{};
    if (::fstat(what, &info) < 0) {
        fail("Landlock");
    }
    constexpr std::uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    struct landlock_path_beneath_attr beneath{};
    beneath.allowed_access = S_ISDIR(info.st_mode) ? rights : rights & of_files;
    beneath.parent_fd = what;
    // EBADFD: no file system that it knows, as of pipes, which are always open.
    if (::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U) < 0 &&
        errno != EBADFD) {
        fail("Landlock");
    }
}

/// Before its second version a hard link into another directory is always refused.
void close_files(const std::vector<int>& read, const std::vector<UniqueFd>& write) {
    const long abi = ::syscall(
        SYS_landlock_create_ruleset, nullptr, std::size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2) {
        return;
    }
    struct landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = rights_of(static_cast<int>(abi));
    const UniqueFd rules(static_cast<int>(::syscall(
        SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0U)));
    if (!rules.valid()) {
        fail("Landlock");
    }
    constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    for (const int what : read) {
        if (what < 0) {
            continue; // it is not there, as whoever reads it will find
        }
        allow(rules.get(), what, reading);
    }
    for (const UniqueFd& directory : write) {
        allow(rules.get(),
              directory.get(),
              attributes.handled_access_fs & ~std::uint64_t{LANDLOCK_ACCESS_FS_EXECUTE});
    }
    if (::syscall(SYS_landlock_restrict_self, rules.get(), 0U) < 0) {
        fail("Landlock");
    }
}

/// The effective and permitted ones.
std::uint64_t own_capabilities() {
    struct __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<struct __user_cap_data_struct, 2> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) < 0) {
        fail("capabilities");
    }
    return std::uint64_t{sets[1].permitted} << 32U | sets[0].permitted;
}

void keep_capabilities(std::uint64_t kept) {
    struct __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<struct __user_cap_data_struct, 2> sets{};
    for (std::size_t i = 0; i < sets.size(); ++i) {
        sets[i].permitted = static_cast<std::uint32_t>(kept >> (32 * i));
        sets[i].effective = sets[i].permitted;
    }
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        ::syscall(SYS_capset, &header, sets.data()) < 0) {
        fail("capabilities");
    }
}

void close_calls() {
    static_assert(std::endian::native == std::endian::little);
    auto program = filter;
    const struct sock_fprog loaded{.len = program.size(),
                                   .filter = reinterpret_cast<struct sock_filter*>(program.data())};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &loaded) < 0) {
        fail("seccomp");
    }
}

} // namespace

std::uint64_t capabilities_to_write() {
    return capability_set(
        {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP});
}

std::uint64_t capabilities_to_read() {
    return capability_set({CAP_DAC_READ_SEARCH});
}

void prepare_confinement() {
    if ((own_capabilities() & capability_set({CAP_SYS_ADMIN})) != 0) {
        enter_own_mounts();
    }
}

UniqueFd open_place(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

std::vector<UniqueFd> confine(const Confinement& confinement) {
    prepare_confinement();
    const std::uint64_t own = own_capabilities();
    const struct rlimit none{};
    ::setrlimit(RLIMIT_CORE, &none);
    std::vector<UniqueFd> opened = (own & capability_set({CAP_SYS_ADMIN})) != 0
                                       ? close_mounts(confinement.write)
                                       : open_anew(confinement.write);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fail("no_new_privs");
    }
    close_files(confinement.read, opened);
    keep_capabilities(own & confinement.capabilities);
    close_calls();
    return opened;
}

std::string path_of(const UniqueFd& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

} // namespace sctr::storage
