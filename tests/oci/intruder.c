// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a mistake in libarchive could be used for. Preloaded, it takes the place of the call that reads the first
 * header of an archive, tries all that its process should not be able to do, says what went well on stderr and ends
 * the process with status 1. As a program it tries the same.
 *
 * $INTRUDER_FILE is a file that is neither an archive nor its target. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void went_well(const char *what) {
    dprintf(2, "INTRUDER:%s\n", what);
}

static void try(const char *what, long result) {
    if (result >= 0) {
        went_well(what);
    }
}

static void try_files(const char *file) {
    char link[64];
    snprintf(link, sizeof link, "%s.new", file);
    try("read", open(file, O_RDONLY));
    try("write", open(file, O_WRONLY));
    try("create", open(link, O_WRONLY | O_CREAT, 0600));
    try("rename", rename(file, link));
    rename(link, file);
    try("chmod", chmod(file, 04755));
    try("chown", chown(file, 1, 1));
    try("setxattr", setxattr(file, "user.intruder", "x", 1, 0));
    try("unlink", unlink(file));
    try("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    try("list", open("/etc", O_RDONLY | O_DIRECTORY));
    snprintf(link, sizeof link, "/proc/%d/root/etc", getppid());
    try("parent", open(link, O_RDONLY | O_DIRECTORY));
    try("init", open("/proc/1/root/etc", O_RDONLY | O_DIRECTORY));
}

/* In every directory that is open: one of them is written to. */
static void try_devices(void) {
    for (int fd = 0; fd < 64; ++fd) {
        struct stat info;
        if (fstat(fd, &info) < 0 || !S_ISDIR(info.st_mode)) {
            continue;
        }
        if (mknodat(fd, "intruder", S_IFCHR | 0600, makedev(1, 3)) == 0) {
            try("device", openat(fd, "intruder", O_RDWR));
            unlinkat(fd, "intruder", 0);
        }
    }
}

static void try_calls(void) {
    static char *const words[] = {"true", NULL};
    static char *const none[] = {NULL};
    static const struct {
        const char *what;
        long number, a, b, c;
    } calls[] = {
        {"unshare", SYS_unshare, CLONE_NEWUTS, 0, 0},
        {"open_tree", SYS_open_tree, AT_FDCWD, (long)"/", OPEN_TREE_CLONE},
        {"fsopen", SYS_fsopen, (long)"tmpfs", 0, 0},
        {"keyctl", SYS_keyctl, 0, -3, 1},
        {"io_uring", SYS_io_uring_setup, 0, 0, 0},
        {"userfaultfd", SYS_userfaultfd, 1, 0, 0},
        {"signal", SYS_kill, 0, 0, 0},
        {"pidfd", SYS_pidfd_open, 1, 0, 0},
        {"chroot", SYS_chroot, (long)"/", 0, 0},
        {"setuid", SYS_setuid, 0, 0, 0},
        {"memfd", SYS_memfd_create, (long)"x", 0, 0},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
        try(calls[i].what, syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, 0, 0));
    }
    try("socket", socket(AF_UNIX, SOCK_STREAM, 0));
    try("network", socket(AF_INET, SOCK_STREAM, 0));
    const pid_t child = fork();
    if (child == 0) {
        execve("/bin/true", words, none);
        _exit(9);
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child) {
        went_well("fork");
    }
    if (child > 0 && status == 0) {
        went_well("execve");
    }
}

static void intrude(void) {
    const char *file = getenv("INTRUDER_FILE");
    dprintf(2, "INTRUDER was here\n");
    try_devices();
    try_calls();
    try_files(file);
    try("user namespace", unshare(CLONE_NEWUSER));
    try("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
    _exit(1);
}

int archive_read_next_header(void *archive, void *entry) {
    (void)archive;
    (void)entry;
    intrude();
    return 0;
}

/* Of what is packed. */
int archive_write_header(void *archive, void *entry) {
    (void)archive;
    (void)entry;
    intrude();
    return 0;
}

int main(void) {
    open("/var/tmp", O_RDONLY | O_DIRECTORY);
    intrude();
    return 0;
}
