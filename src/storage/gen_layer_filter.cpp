// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/seccomp.hpp"

namespace {

/// All that the reading and writing of archives and trees takes. No process, socket, mount,
/// namespace, key, module, program or ioctl is made or reached with these.
constexpr std::string_view allowed =
    // files
    "read readv pread64 write writev pwrite64 lseek _llseek close close_range openat openat2 open "
    "ftruncate ftruncate64 fadvise64 fadvise64_64 fcntl fcntl64 dup "
    // what they look like
    "newfstatat fstatat64 fstat fstat64 stat lstat statx statfs statfs64 fstatfs fstatfs64 "
    "getdents64 readlink readlinkat getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
    "access faccessat faccessat2 getcwd "
    // the tree that is written
    "mkdir mkdirat mknod mknodat link linkat symlink symlinkat unlink unlinkat rmdir renameat "
    "renameat2 "
    "chmod fchmod fchmodat chown fchown fchownat lchown setxattr lsetxattr fsetxattr utimensat "
    "utimensat_time64 umask "
    // the C library
    "brk mmap mmap2 munmap mremap mprotect madvise futex futex_time64 getrandom clock_gettime "
    "clock_gettime64 getpid gettid geteuid getuid rt_sigaction rt_sigprocmask rt_sigreturn "
    "sched_yield exit exit_group restart_syscall";

} // namespace

/// Writes the filter of a confined sctr-layer as C++ numbers to stdout: libseccomp takes
/// milliseconds to compile it.
int main() {
    try {
        const sctr::oci::Seccomp filter{
            .default_action = "SCMP_ACT_ERRNO",
            .default_errno_ret = EPERM,
            .syscalls = {{.names = sctr::split(allowed, ' '), .action = "SCMP_ACT_ALLOW"}}};
        const auto step = sctr::plan::compile_seccomp(filter, sctr::plan::FilterLayout::tree);
        for (const std::uint64_t instruction : step.program) {
            std::printf("0x%016" PRIx64 ",\n", instruction);
        }
    } catch (const sctr::Error& error) {
        std::fprintf(stderr, "gen_layer_filter: %s\n", error.what());
        return 1;
    }
    return 0;
}
