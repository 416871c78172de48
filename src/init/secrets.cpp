// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/secrets.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "init/control.hpp"
#include "init/mounts.hpp"

namespace sctr::init {

namespace {

constexpr const char* failure = "cannot make the secret";
constexpr const char* directory = "/run/secrets";
constexpr const char* shared = "shared";
constexpr const char* place = "/proc"; // everywhere in the host's tree, and used by fd only

UniqueFd make_memory() noexcept {
    const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    require(context.valid(), failure);
    (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "secrets", 0);
    require(::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0755", 0) == 0, failure);
    // Since Linux 6.4, and not in a user namespace.
    (void)::fsconfig(context.get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0);
    require(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, failure);
    UniqueFd memory(::fsmount(
        context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    require(memory.valid(), failure);
    return memory;
}

void write_file(int memory, const std::string& name, const plan::SecretStep& secret) noexcept {
    const UniqueFd file(
        ::openat(memory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    require(file.valid(), failure, secret.target);
    std::string_view rest = secret.text;
    while (!rest.empty()) {
        const ssize_t size = ::write(file.get(), rest.data(), rest.size());
        require(size > 0 || errno == EINTR, failure, secret.target);
        rest.remove_prefix(size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    if (::fchown(file.get(), secret.uid, secret.gid) < 0) {
        const int error_number = errno;
        fail({.what = "cannot give the secret to its owner",
              .where = secret.target,
              .why = error_number == EINVAL ? "the id has no mapping in the container" : ""},
             error_number);
    }
    require(::fchmod(file.get(), secret.mode) == 0, failure, secret.target);
}

void mount_at(int root, int memory, const std::string& name, const std::string& target) noexcept {
    UniqueFd tree(::open_tree(memory, name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    require(tree.valid(), failure, target);
    mount_one(root,
              {.kind = plan::MountKind::bind,
               .source = "secrets",
               .target = target,
               .attr_set = MOUNT_ATTR_RDONLY,
               .propagation = MS_PRIVATE,
               .tree_fd = tree.release()});
}

bool is_shared(const plan::SecretStep& secret) noexcept {
    const std::string start = std::string(directory) + "/";
    return secret.target.starts_with(start) && !secret.target.substr(start.size()).contains('/');
}

} // namespace

void mount_secrets(int root, std::vector<plan::SecretStep> secrets) noexcept {
    if (secrets.empty()) {
        return;
    }
    const UniqueFd memory = make_memory();
    // Kernels before 6.15 clone only from what is attached.
    require(::move_mount(memory.get(), "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0, failure);
    require(::mkdirat(memory.get(), shared, 0755) == 0, failure);
    bool has_shared = false;
    for (std::size_t i = 0; i < secrets.size(); ++i) {
        const plan::SecretStep& secret = secrets[i];
        if (is_shared(secret)) {
            write_file(
                memory.get(), shared + secret.target.substr(secret.target.rfind('/')), secret);
            has_shared = true;
        } else {
            write_file(memory.get(), std::to_string(i), secret);
        }
    }
    if (has_shared) {
        mount_at(root, memory.get(), shared, directory);
    }
    for (std::size_t i = 0; i < secrets.size(); ++i) {
        if (!is_shared(secrets[i])) {
            mount_at(root, memory.get(), std::to_string(i), secrets[i].target);
        }
    }
    require(::umount2(place, MNT_DETACH) == 0, failure);
    for (plan::SecretStep& secret : secrets) {
        ::explicit_bzero(secret.text.data(), secret.text.size());
    }
}

} // namespace sctr::init
