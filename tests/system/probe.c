/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs inside a container and reports what it finds there.
 *
 *   probe call NAME [NUMBER...]   makes one system call; prints "ok N" or the name of its errno
 *   probe fds                     prints its open file descriptors
 *   probe open FLAGS PATH         r or w; prints "ok" or the name of the errno
 *   probe args ARG...             prints its arguments, each followed by a null byte
 *   probe seize                   lies in wait for programs that are not the image's, and writes to them
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
    const char *name;
    long number;
};

#define CALL(name) {#name, SYS_##name}

static const struct call calls[] = {
    CALL(acct), CALL(add_key), CALL(bpf), CALL(chroot), CALL(clock_settime), CALL(delete_module),
    CALL(finit_module), CALL(fsopen), CALL(getpid), CALL(init_module), CALL(io_uring_setup), CALL(kcmp),
    CALL(kexec_load), CALL(keyctl), CALL(mount), CALL(move_pages), CALL(open_by_handle_at),
    CALL(open_tree), CALL(perf_event_open), CALL(personality), CALL(pivot_root), CALL(ptrace),
    CALL(quotactl), CALL(reboot), CALL(request_key), CALL(sethostname), CALL(setns),
    CALL(settimeofday), CALL(socket), CALL(swapoff), CALL(swapon), CALL(syslog), CALL(umount2),
    CALL(unshare), CALL(userfaultfd), CALL(vhangup), CALL(vmsplice),
#ifdef SYS_iopl
    CALL(iopl), CALL(ioperm),
#endif
    {"unknown", 9999},
};

static int report(long result) {
    if (result >= 0) {
        printf("ok %ld\n", result);
        return 0;
    }
    printf("%s\n", strerrorname_np(errno));
    return 1;
}

static int make_call(int argc, char **argv) {
    long values[6] = {0};
    for (int i = 3; i < argc && i < 9; ++i) {
        values[i - 3] = strtol(argv[i], NULL, 0);
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
        if (strcmp(calls[i].name, argv[2]) == 0) {
            return report(syscall(calls[i].number, values[0], values[1], values[2], values[3],
                                  values[4], values[5]));
        }
    }
    fprintf(stderr, "probe: unknown call %s\n", argv[2]);
    return 2;
}

static int list_fds(void) {
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return report(-1);
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char target[4096] = {0};
        const int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(directory)) {
            continue;
        }
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) < 0) {
            return report(-1);
        }
        printf("%d %s\n", fd, target);
    }
    closedir(directory);
    return 0;
}

enum { most_held = 64 };

/* Programs that are held open, so that they can be written to when nobody executes them any more. */
static int held[most_held];
static struct stat known[most_held];
static int held_count;

static void hold(const char *path) {
    char name[4096] = {0};
    struct stat info;
    if (readlink(path, name, sizeof name - 1) < 0 || strncmp(name, "/bin/", 5) == 0 || held_count == most_held) {
        return;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0) {
        return;
    }
    for (int i = 0; i < held_count; ++i) {
        if (known[i].st_dev == info.st_dev && known[i].st_ino == info.st_ino) {
            close(fd);
            return;
        }
    }
    printf("seen %s\n", name);
    known[held_count] = info;
    held[held_count++] = fd;
}

/* Writes the byte that is there already: an attack that does no harm when it succeeds. */
static void overwrite(int fd) {
    char path[64];
    char byte;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const int writable = open(path, O_WRONLY | O_CLOEXEC);
    if (writable >= 0 && pread(fd, &byte, 1, 0) == 1 && pwrite(writable, &byte, 1, 0) == 1) {
        char name[4096] = {0};
        printf("written %s\n", readlink(path, name, sizeof name - 1) < 0 ? "?" : name);
    }
    close(writable);
}

static _Noreturn void seize(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    for (;;) {
        DIR *directory = opendir("/proc");
        for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
                char path[300];
                snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
                hold(path);
            }
        }
        closedir(directory);
        for (int i = 0; i < held_count; ++i) {
            overwrite(held[i]);
        }
    }
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "call") == 0) {
        return make_call(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "fds") == 0) {
        return list_fds();
    }
    if (argc == 4 && strcmp(argv[1], "open") == 0) {
        const int flags = argv[2][0] == 'w' ? O_WRONLY : O_RDONLY;
        return report(open(argv[3], flags | O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : 0);
    }
    if (argc >= 2 && strcmp(argv[1], "args") == 0) {
        for (int i = 2; i < argc; ++i) {
            fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
        }
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "seize") == 0) {
        seize();
    }
    fprintf(stderr, "probe: bad arguments\n");
    return 2;
}
