// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/mapped_overlay.hpp"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/error.hpp"

namespace sctr::container {

namespace {

constexpr const char* failure = "cannot mount the image";
constexpr const char* writable_name = "w";

UniqueFd clone_mapped(const std::string& path, int user_namespace) {
    UniqueFd clone(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!clone.valid()) {
        throw Error(failure).at(path).because(errno);
    }
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    if (::mount_setattr(clone.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
        throw Error(failure).at(path).because(errno);
    }
    map_ids(clone.get(), user_namespace, false, path);
    return clone;
}

/// The kernel's own words, which errno rarely has.
Error refused(int context, const std::string& where) {
    const int error_number = errno;
    std::array<char, 512> line{};
    const ssize_t size = ::read(context, line.data(), line.size());
    Error error(failure);
    error.at(where);
    if (size > 2) { // "e overlay: ...": the letter is its severity
        std::string text(line.data() + 2, static_cast<std::size_t>(size) - 2);
        while (text.ends_with('\n')) {
            text.pop_back();
        }
        error.because(text);
    }
    return error.because(error_number);
}

void configure(int context, const char* key, const std::string& value) {
    if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
        throw refused(context, std::string(key) + "=" + value);
    }
}

/// Attaches a mount in the current directory.
void attach(const UniqueFd& mount, const std::string& name) {
    if (::mkdir(name.c_str(), 0700) < 0 ||
        ::move_mount(mount.get(), "", AT_FDCWD, name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        throw Error(failure).because(errno);
    }
}

/// overlayfs makes its own files with the ids of whoever mounts it: those must be among the mapped
/// ones. All capabilities stay: what trusted.overlay.* says counts for nobody else.
void become_owner(uid_t uid, gid_t gid) {
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0) {
        throw Error(failure).because(errno);
    }
    ::setfsgid(gid);
    ::setfsuid(uid);
}

void become_host_root() {
    ::setfsuid(0);
    ::setfsgid(0);
}

} // namespace

void map_ids(int mount, int user_namespace, bool recursive, const std::string& where) {
    struct mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    const unsigned flags = AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (::mount_setattr(mount, "", flags, &attributes, sizeof attributes) == 0) {
        return;
    }
    const int error_number = errno;
    Error error("cannot map the ids of the mount");
    error.at(where).because(error_number);
    if (error_number == EINVAL) {
        error.because("this kernel does not do that for its file system");
    } else if (error_number == EPERM) {
        error.because("it is id-mapped already, or its file system is not the host's own");
    }
    throw error;
}

MappedOverlay::MappedOverlay(const plan::OverlayStep& overlay, int user_namespace)
    : overlay_(overlay) {
    for (const std::string& path : overlay.lower) {
        lower_.push_back(clone_mapped(path, user_namespace));
    }
    if (!overlay.upper.empty()) {
        writable_ = clone_mapped(overlay.upper.substr(0, overlay.upper.rfind('/')), user_namespace);
    }
}

UniqueFd MappedOverlay::mount(ScratchMount& scratch, uid_t uid, gid_t gid) const {
    // Before Linux 6.15 a layer must be attached somewhere; from here the names are short, as those
    // before 6.5 need it, which take all layers in one word of 255 bytes.
    const std::string own = scratch.new_name();
    if (::fchdir(scratch.directory()) < 0 || ::mkdir(own.c_str(), 0700) < 0 ||
        ::chdir(own.c_str()) < 0) {
        throw Error(failure).because(errno);
    }
    const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
    if (!context.valid()) {
        throw Error(failure).because("the kernel has no overlayfs");
    }
    (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "overlay", 0);
    std::string all;
    for (std::size_t i = 0; i < lower_.size(); ++i) {
        const std::string name = std::to_string(i);
        attach(lower_[i], name);
        all += (all.empty() ? "" : ":") + name;
    }
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "lowerdir+", "0", 0) < 0) {
        configure(context.get(), "lowerdir", all);
    } else {
        for (std::size_t i = 1; i < lower_.size(); ++i) {
            configure(context.get(), "lowerdir+", std::to_string(i));
        }
    }
    if (writable_.valid()) {
        attach(writable_, writable_name);
        const auto below = [](const std::string& path) {
            return writable_name + path.substr(path.rfind('/'));
        };
        configure(context.get(), "upperdir", below(overlay_.upper));
        configure(context.get(), "workdir", below(overlay_.work));
    }
    if (overlay_.is_volatile &&
        ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr, 0) < 0) {
        throw refused(context.get(), "volatile");
    }
    become_owner(uid, gid);
    const bool is_made = ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
    UniqueFd mount(is_made ? ::fsmount(context.get(), FSMOUNT_CLOEXEC, 0) : -1);
    if (!mount.valid()) {
        throw refused(context.get(), overlay_.lower.front());
    }
    become_host_root();
    return mount;
}

} // namespace sctr::container
