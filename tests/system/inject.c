// SPDX-License-Identifier: LGPL-2.1-or-later
/* Makes one system call of a program, or of a process below it, fail.
 *
 *   inject FILE list -- COMMAND...              writes every call into FILE, lets all of them through
 *   inject FILE WHO NUMBER ERRNO -- COMMAND...  gives call NUMBER of process WHO this error instead, and
 *                                               writes that one into FILE
 *
 * A line of FILE is `WHO NUMBER CALL PROGRAM TARGET`. WHO is the way to a process: 0 is COMMAND, 0.2 its second
 * child. TARGET is what the descriptor of that number is, if the call's first argument is one.
 * A call is not made where it is to fail, but for close(), which gives the descriptor back even where it fails.
 * NUMBER counts the calls of a process from 1, those of the dynamic linker too, which are not listed. The exit
 * status is COMMAND's (128+n for a signal), or 120 where this program itself failed. What is left of the
 * processes when COMMAND has ended goes on untraced. SIGTERM is passed on to COMMAND. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct task {
    pid_t pid;
    char who[64];
    unsigned children;
    unsigned calls;
    bool failing; /* its next stop is the end of the call that is to fail */
    uint64_t linker_begin, linker_end;
    char program[64];
};

static struct task tasks[256];
static size_t task_count;
static FILE *list;
static bool list_all;
static const char *wanted_who = "";
static unsigned wanted_call;
static int wanted_error;

static void fail(const char *what) {
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(120);
}

static pid_t command_pid;

static void pass_on(int signal) {
    kill(command_pid, signal);
}

static struct task *find(pid_t pid) {
    for (size_t i = 0; i < task_count; ++i) {
        if (tasks[i].pid == pid) {
            return &tasks[i];
        }
    }
    return NULL;
}

static struct task *add(pid_t pid, const char *who) {
    if (task_count == sizeof tasks / sizeof *tasks) {
        errno = E2BIG;
        fail("more processes than there is room for");
    }
    struct task *task = &tasks[task_count++];
    memset(task, 0, sizeof *task);
    task->pid = pid;
    snprintf(task->who, sizeof task->who, "%s", who);
    return task;
}

/* What a process executes now, and where the dynamic linker is in it. */
static void look_at_program(struct task *task) {
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/%d/exe", task->pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    char *end = strstr(target, " (deleted)");
    if (end) {
        *end = 0;
    }
    const char *slash = strrchr(target, '/');
    /* The program before sctr and sctr itself have one name, and lie in bin and in libexec/sctr. */
    snprintf(task->program, sizeof task->program, "%s%.50s", strstr(target, "/libexec/") ? "libexec/" : "",
             slash ? slash + 1 : target);
    task->linker_begin = task->linker_end = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", task->pid);
    FILE *maps = fopen(path, "re");
    if (!maps) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, finish;
        if (strstr(line, "/ld-linux") && sscanf(line, "%lx-%lx", &begin, &finish) == 2) {
            if (!task->linker_begin) {
                task->linker_begin = begin;
            }
            task->linker_end = finish;
        }
    }
    fclose(maps);
}

static void set_registers(struct task *task, bool begin) {
    struct user_regs_struct registers;
    struct iovec where = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, task->pid, (void *)1 /* NT_PRSTATUS */, &where) < 0) {
        return; /* it has been killed */
    }
    if (begin) {
        if (registers.orig_rax == SYS_close) {
            return;
        }
        registers.orig_rax = (unsigned long long)-1;
    } else {
        registers.rax = (unsigned long long)-wanted_error;
    }
    ptrace(PTRACE_SETREGSET, task->pid, (void *)1, &where);
}

static void on_call(struct task *task) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof info, &info) <= 0) {
        return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        if (task->failing) {
            set_registers(task, false);
            task->failing = false;
        }
        return;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        return;
    }
    ++task->calls;
    if (task->calls == wanted_call && strcmp(task->who, wanted_who) == 0) {
        set_registers(task, true);
        task->failing = true;
    }
    const bool linker =
        info.instruction_pointer >= task->linker_begin && info.instruction_pointer < task->linker_end;
    if (task->failing || (list_all && !linker)) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/%d/fd/%d", task->pid, (int)info.entry.args[0]);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        fprintf(list, "%s %u %llu %s %s\n", task->who, task->calls, (unsigned long long)info.entry.nr,
                task->program, target);
    }
}

/* One stop of one process; what it is to go on with. */
static int on_stop(struct task *task, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) {
        on_call(task);
        return 0;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        unsigned long child = 0;
        ptrace(PTRACE_GETEVENTMSG, task->pid, NULL, &child);
        char who[sizeof task->who];
        snprintf(who, sizeof who, "%.50s.%u", task->who, ++task->children);
        struct task *known = find((pid_t)child);
        if (known) {
            snprintf(known->who, sizeof known->who, "%s", who);
        } else {
            known = add((pid_t)child, who);
        }
        known->linker_begin = task->linker_begin;
        known->linker_end = task->linker_end;
        snprintf(known->program, sizeof known->program, "%s", task->program);
        return 0;
    }
    if (event == PTRACE_EVENT_EXEC) {
        look_at_program(task);
        return 0;
    }
    return event ? 0 : signal;
}

static int follow(pid_t first) {
    for (;;) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0) {
            if (errno == EINTR) {
                continue;
            }
            fail("waitpid");
        }
        struct task *task = find(pid);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first) {
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            if (task) {
                task->pid = 0;
            }
            continue;
        }
        if (!task) {
            task = add(pid, "?"); /* its parent's stop, which names it, comes after its own first one */
        }
        if (status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP) {
            ptrace(PTRACE_LISTEN, pid, NULL, NULL);
            continue;
        }
        const int signal = on_stop(task, status);
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal);
    }
}

int main(int argc, char **argv) {
    int command = 0;
    if (argc > 4 && strcmp(argv[2], "list") == 0 && strcmp(argv[3], "--") == 0) {
        list_all = true;
        command = 4;
    } else if (argc > 6 && strcmp(argv[5], "--") == 0) {
        wanted_who = argv[2];
        wanted_call = (unsigned)strtoul(argv[3], NULL, 10);
        wanted_error = (int)strtol(argv[4], NULL, 10);
        command = 6;
    } else {
        fprintf(stderr, "usage: inject FILE list -- COMMAND... | inject FILE WHO NUMBER ERRNO -- COMMAND...\n");
        return 120;
    }
    list = fopen(argv[1], "we");
    if (!list) {
        fail(argv[1]);
    }
    setlinebuf(list); /* to be read of a start that hangs, too */
    const pid_t pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        execvp(argv[command], &argv[command]);
        fail(argv[command]);
    }
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid || ptrace(PTRACE_SEIZE, pid, NULL, options) < 0) {
        fail("cannot begin");
    }
    add(pid, "0");
    command_pid = pid;
    signal(SIGTERM, pass_on); /* of a service's main process, which systemd tells to stop */
    kill(pid, SIGCONT);
    status = follow(pid);
    fclose(list);
    return status;
}
