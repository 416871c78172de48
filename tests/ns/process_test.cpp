// SPDX-License-Identifier: LGPL-2.1-or-later
// Children of ours: how they are born, what they inherit and how they end.
#include "linux/process.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/cgroup_lock.hpp"
#include "linux/procfs.hpp"
#include "plan/protocol.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

struct Ends {
    UniqueFd ours;
    UniqueFd theirs;
};

Ends socket_pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {sys::raise_fd(UniqueFd(ends[0])), sys::raise_fd(UniqueFd(ends[1]))};
}

UniqueFd open_raised(const char* path, int flags) {
    return sys::raise_fd(UniqueFd(::open(path, flags | O_CLOEXEC, 0600)));
}

/// A shell with this script, its stdout in a file.
struct Shell {
    explicit Shell(const char* script, std::uint64_t clone_flags = 0)
        : program(open_raised("/bin/sh", O_PATH)), null(open_raised("/dev/null", O_RDWR)),
          out(open_raised((scratch + "/out").c_str(), O_RDWR | O_CREAT | O_TRUNC)),
          control(socket_pair()), argv{"sh", "-c", script, nullptr} {
        arguments.clone_flags = clone_flags;
        arguments.executable = program.get();
        arguments.argv = argv.data();
        arguments.standard[0] = null.get();
        arguments.standard[1] = out.get();
        arguments.control = control.theirs.get();
        arguments.peer = control.ours.get();
        arguments.plan = null.get();
    }

    sys::Child start() {
        sys::Child child = sys::spawn(arguments);
        control.theirs.reset();
        return child;
    }

    UniqueFd program;
    UniqueFd null;
    UniqueFd out;
    Ends control;
    std::array<const char*, 4> argv;
    sys::SpawnArguments arguments;
};

std::string output() {
    return read_file(scratch + "/out");
}

TEST(Child, EndsWithTheStatusThatAShellSees) {
    struct Case {
        const char* script;
        int status;
        bool killed = false;
    };

    for (const auto& [script, status, killed] : std::initializer_list<Case>{
             {"exit 0", 0},
             {"exit 7", 7},
             {"exit 255", 255},
             {"kill -TERM $$", 128 + SIGTERM},
             {"kill -HUP $$", 128 + SIGHUP},
             {"kill -KILL $$", 128 + SIGKILL, true},
         }) {
        expect_passes([script = script, status = status, killed = killed] {
            Shell shell(script);
            sys::Child child = shell.start();
            EXPECT_EQ(child.wait(), status) << script;
            EXPECT_EQ(child.was_killed(), killed) << script;
            EXPECT_FALSE(child.signal(SIGTERM)) << "it has ended";
        });
    }
}

TEST(Child, IsKilledAndReapedWithItsOwner) {
    expect_passes([] {
        Shell shell("read x <&3");
        pid_t pid = 0;
        {
            const sys::Child child = shell.start();
            pid = child.pid();
            EXPECT_EQ(::kill(pid, 0), 0);
        }
        EXPECT_LT(::kill(pid, 0), 0);
        EXPECT_EQ(errno, ESRCH);
        EXPECT_LT(::waitpid(-1, nullptr, WNOHANG), 0);
        EXPECT_EQ(errno, ECHILD);
    });
}

TEST(Child, MovesWithItsEnd) {
    expect_passes([] {
        Shell first("read x <&3");
        Shell second("exit 5");
        sys::Child child = first.start();
        const pid_t replaced = child.pid();
        child = second.start(); // ends the first
        EXPECT_LT(::kill(replaced, 0), 0);
        sys::Child moved(std::move(child));
        EXPECT_EQ(moved.wait(), 5);
    });
}

TEST(Child, LivesOnWhenReleased) {
    expect_passes([] {
        Shell shell("exit 3");
        pid_t pid = 0;
        {
            sys::Child child = shell.start();
            pid = child.pid();
            child.release();
        }
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(WEXITSTATUS(status), 3) << "it was killed";
    });
}

TEST(Child, ThatSomebodyElseReapedIsAnError) {
    expect_passes([] {
        Shell shell("exit 3");
        sys::Child child = shell.start();
        ASSERT_EQ(::waitpid(child.pid(), nullptr, 0), child.pid());
        EXPECT_EQ(child.wait(), 125);
    });
}

TEST(Spawn, GivesTheChildTheFixedFilesOnly) {
    expect_passes([] {
        Shell shell(
            "i=0; while [ $i -lt 100 ]; do [ ! -e /proc/$$/fd/$i ] || echo $i; i=$((i + 1)); done");
        const UniqueFd inherited = open_raised("/dev/zero", O_RDONLY);
        const UniqueFd kept_back = open_raised("/dev/zero", O_RDONLY);
        shell.arguments.inherited = {inherited.get()};
        EXPECT_EQ(shell.start().wait(), 0);
        EXPECT_THAT(split(output(), '\n'),
                    testing::UnorderedElementsAre(
                        "0", "1", "2", "3", "4", std::to_string(inherited.get()), ""));
        EXPECT_NE(::fcntl(inherited.get(), F_GETFD) & FD_CLOEXEC, 0) << "ours stays as it is";
    });
}

TEST(Spawn, PutsEachFileInItsPlace) {
    expect_passes([] {
        Shell shell(
            "readlink /proc/$$/fd/0 /proc/$$/fd/4; echo to-stderr >&2; read x <&3; echo $x");
        const UniqueFd errors = open_raised((scratch + "/err").c_str(), O_RDWR | O_CREAT);
        const UniqueFd zero = open_raised("/dev/zero", O_RDONLY);
        shell.arguments.standard[2] = errors.get();
        shell.arguments.plan = zero.get();
        sys::Child child = shell.start();
        for (const char letter : std::string_view("hello\n")) { // a shell reads byte by byte
            ASSERT_EQ(::send(shell.control.ours.get(), &letter, 1, 0), 1);
        }
        EXPECT_EQ(child.wait(), 0);
        EXPECT_EQ(output(), "/dev/null\n/dev/zero\nhello\n");
        EXPECT_EQ(read_file(scratch + "/err"), "to-stderr\n");
    });
}

TEST(Spawn, KeepsStandardFilesThatAreInTheirPlace) {
    expect_passes([] {
        ASSERT_EQ(::dup3(open_raised("/dev/null", O_RDWR).get(), 2, O_CLOEXEC), 2);
        Shell shell("readlink /proc/$$/fd/2");
        EXPECT_EQ(shell.start().wait(), 0);
        EXPECT_EQ(output(), "/dev/null\n");
    });
}

TEST(Spawn, GivesNoEnvironment) {
    expect_passes([] {
        ::setenv("SECRET", "x", 1);
        Shell shell("tr '\\0' '\\n' </proc/$$/environ");
        EXPECT_EQ(shell.start().wait(), 0);
        EXPECT_EQ(output(), "");
    });
}

TEST(Spawn, MakesTheNamespacesOfTheFlags) {
    expect_passes([] {
        Shell shell("echo $$", CLONE_NEWPID);
        sys::Child child = shell.start();
        EXPECT_GT(child.pid(), 1);
        EXPECT_EQ(child.wait(), 0);
        EXPECT_EQ(output(), "1\n");
    });
}

TEST(Spawn, EndsWith125WhenTheProgramCannotBeExecuted) {
    expect_passes([] {
        Shell shell("exit 0");
        shell.arguments.executable = shell.null.get();
        EXPECT_EQ(shell.start().wait(), 125);
    });
}

TEST(Spawn, SaysWhatTheKernelRefuses) {
    expect_passes([] {
        Shell shell("exit 0", CLONE_NEWNS | CLONE_FS); // clone(2): EINVAL
        try {
            shell.start();
            ADD_FAILURE() << "it was cloned";
        } catch (const Error& error) {
            EXPECT_EQ(error.error_number(), EINVAL) << error.what();
            EXPECT_THAT(error.what(), testing::HasSubstr("clone3"));
        }
    });
}

TEST(Control, EndsWithTheChild) {
    expect_passes([] {
        Shell shell("exit 0");
        sys::Child child = shell.start();
        char byte = 0;
        EXPECT_EQ(::recv(shell.control.ours.get(), &byte, 1, 0), 0) << "another end is open";
        EXPECT_EQ(child.wait(), 0);
    });
}

TEST(SanitizeProcess, OpensTheStandardFilesThatAreClosed) {
    for (const unsigned closed : {0U, 1U, 2U, 4U, 5U, 7U}) {
        expect_passes([closed] {
            for (int fd = 0; fd < 3; ++fd) {
                if ((closed >> static_cast<unsigned>(fd) & 1U) != 0) {
                    ::close(fd);
                }
            }
            ::signal(SIGCHLD, SIG_IGN);
            sys::sanitize_process();
            for (int fd = 0; fd < 3; ++fd) {
                struct stat info{};
                ASSERT_EQ(::fstat(fd, &info), 0) << closed << fd;
                if ((closed >> static_cast<unsigned>(fd) & 1U) != 0) {
                    EXPECT_EQ(info.st_rdev, ::makedev(1, 3)) << closed << fd;
                }
            }
            EXPECT_EQ(::signal(SIGCHLD, SIG_DFL), SIG_DFL);
        });
    }
}

TEST(RaiseFd, GivesTheSameFileUnderAHighNumber) {
    expect_passes([] {
        const std::string path = scratch + "/file";
        UniqueFd low(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        ASSERT_LT(low.get(), 10);
        const int was = low.get();
        const UniqueFd raised = sys::raise_fd(std::move(low));
        EXPECT_GE(raised.get(), 10);
        EXPECT_EQ(where(raised), path);
        EXPECT_NE(::fcntl(raised.get(), F_GETFD) & FD_CLOEXEC, 0);
        EXPECT_LT(::fcntl(was, F_GETFD), 0) << "the low one is left open";
        const int high = ::fcntl(raised.get(), F_DUPFD_CLOEXEC, 50);
        EXPECT_EQ(sys::raise_fd(UniqueFd(high)).get(), high);
    });
}

TEST(WarmCgroupLock, LeavesTheProcessWhereItIsAndNoChild) {
    expect_passes([] {
        const std::string before = sys::cgroup_of(::getpid());
        sys::warm_cgroup_lock();
        EXPECT_FALSE(before.empty());
        EXPECT_EQ(sys::cgroup_of(::getpid()), before);
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
        EXPECT_EQ(errno, ECHILD);
    });
}

} // namespace
} // namespace sctr::test
