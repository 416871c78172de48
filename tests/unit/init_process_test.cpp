// SPDX-License-Identifier: LGPL-2.1-or-later
// Signals that come while sctr-init starts the command, whatever the order in which its packets
// come.
#include "container/init_process.hpp"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "linux/syscalls.hpp"
#include "plan/protocol.hpp"

namespace sctr::container {
namespace {

using plan::protocol::Kind;
using testing::Optional;

/// Waits until the process has nothing to do but to wait.
void await_sleeping(pid_t pid) {
    std::string stat;
    do {
        ::sched_yield();
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::getline(file, stat);
    } while (stat.find(") S ") == std::string::npos);
}

class InitProcessTest : public testing::Test {
  protected:
    InitProcessTest() {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
            throw Error("cannot create a socket pair").because(errno);
        }
        ours_ = Control(UniqueFd(ends[0]));
        theirs_ = Control(UniqueFd(ends[1]));
    }

    /// The process that starts another one, and has ended.
    static sys::Child first() {
        return sys::fork_child(0, [] {});
    }

    /// The process that becomes the command: says that it has joined once we wait for it.
    sys::Child second() {
        return sys::fork_child(0, [this] {
            std::vector<UniqueFd> itself;
            itself.emplace_back(sys::pidfd_open(::getpid()));
            await_sleeping(::getppid());
            theirs_.send(Kind::joined, itself);
        });
    }

    sys::SignalQueue signals_; // before any process is made: they have the signals blocked, too
    Control ours_;
    Control theirs_;
};

TEST_F(InitProcessTest, ASignalWhileTheCommandIsExecutedIsTheCommands) {
    InitProcess process(first(), UniqueFd(), std::move(ours_));
    theirs_.send(Kind::executing);
    ::raise(SIGTERM);
    sys::Child command = second();
    process.await_joined(signals_);
    EXPECT_EQ(process.child().pid(), command.pid());
    EXPECT_THAT(signals_.take(), Optional(SIGTERM));
    command.release(); // it has become the process's
}

TEST_F(InitProcessTest, ASignalBehindTheLastPacketIsTheCommands) {
    InitProcess process(first(), UniqueFd(), std::move(ours_));
    theirs_.send(Kind::executing);
    theirs_ = Control();
    ::raise(SIGTERM);
    process.await_execution(signals_);
    EXPECT_THAT(signals_.take(), Optional(SIGTERM));
}

TEST_F(InitProcessTest, ASignalBeforeTheCommandEndsTheStart) {
    InitProcess process(first(), UniqueFd(), std::move(ours_));
    theirs_.send(Kind::prepared);
    ::raise(SIGTERM);
    EXPECT_THROW(process.await_joined(signals_), Interrupted);
}

TEST_F(InitProcessTest, ASignalEndsAStartWhoseCommandCannotBeLoaded) {
    InitProcess process(first(), UniqueFd(), std::move(ours_));
    theirs_.send(Kind::executing);
    ::raise(SIGTERM);
    EXPECT_THROW(process.await_execution(signals_), Interrupted);
}

} // namespace
} // namespace sctr::container
