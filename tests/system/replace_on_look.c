// SPDX-License-Identifier: LGPL-2.1-or-later
/* For LD_PRELOAD: when a program has asked whether $REPLACED is a link, and it is none, a link to $TARGET is put
 * in its place: what another process might do at that moment. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t readlink(const char *path, char *buffer, size_t size) {
    const ssize_t length = syscall(SYS_readlinkat, -100 /* AT_FDCWD */, path, buffer, size);
    const char *replaced = getenv("REPLACED");
    const char *target = getenv("TARGET");
    if (length < 0 && replaced && target && strcmp(path, replaced) == 0 && unlink(path) == 0) {
        symlink(target, path);
        return syscall(SYS_readlinkat, -100, "/", buffer, size); /* the same error again: it is no link */
    }
    return length;
}

/* What a compiler makes of it where it checks sizes. */
ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t available) {
    return readlink(path, buffer, size < available ? size : available);
}
