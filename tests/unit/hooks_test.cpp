// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/hooks.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/unique_fd.hpp"
#include "container/init_process.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string read_text(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

class Hooks : public testing::Test {
  protected:
    Hooks() {
        std::string path = testing::TempDir() + "sctr-hooks-XXXXXX";
        directory_ = ::mkdtemp(path.data());
        state_.id = "web";
        state_.status = "creating";
        state_.pid = 4242;
        state_.bundle = directory_;
        state_.annotations = {{"com.example/key", "a \"value\""}};
    }

    ~Hooks() override { std::filesystem::remove_all(directory_); }

    Hooks(const Hooks&) = delete;
    Hooks& operator=(const Hooks&) = delete;
    Hooks(Hooks&&) = delete;
    Hooks& operator=(Hooks&&) = delete;

    static oci::Hook shell(const std::string& script) {
        return {.path = "/bin/sh", .args = {"hook", "-c", script}};
    }

    void run(const std::vector<oci::Hook>& hooks) {
        run_hooks("createRuntime", hooks, state_, open_hook_output(spec_), signals_);
    }

    /// The message of the error with which these hooks fail; empty when they do not.
    std::string failure(const std::vector<oci::Hook>& hooks) {
        try {
            run(hooks);
        } catch (const Error& error) {
            return error.what();
        }
        return {};
    }

    [[nodiscard]] std::string file(const std::string& name) const {
        return directory_ + "/" + name;
    }

    std::string directory_;
    oci::State state_;
    oci::Spec spec_;
    sys::SignalQueue signals_;
};

TEST_F(Hooks, ReadTheStateInTheBundle) {
    run({shell("cat > state; pwd > where")});
    const auto state = nlohmann::json::parse(read_text(file("state")));
    EXPECT_EQ(state,
              nlohmann::json({{"ociVersion", "1.3.0"},
                              {"id", "web"},
                              {"status", "creating"},
                              {"pid", 4242},
                              {"bundle", directory_},
                              {"annotations", {{"com.example/key", "a \"value\""}}}}));
    EXPECT_EQ(read_text(file("where")), directory_ + "\n");
}

TEST_F(Hooks, GetArgumentsAndEnvironmentAsGiven) {
    run({{.path = "/bin/sh",
          .args = {"zero", "-c", "echo \"$0\" \"$1\" > args; env > env", "one two", "*"},
          .env = {"A=1", "B="}}});
    EXPECT_EQ(read_text(file("args")), "one two *\n");
    const std::string environment = read_text(file("env"));
    EXPECT_THAT(environment, AllOf(HasSubstr("A=1\n"), HasSubstr("B=\n"), Not(HasSubstr("HOME="))));
}

TEST_F(Hooks, WithoutEnvironmentGetTheRuntimes) {
    ::setenv("SCTR_TEST_VARIABLE", "here", 1);
    spec_.annotations = {{"run.oci.hooks.stdout", file("out")}};
    run({{.path = "/usr/bin/env"}, {.path = "/usr/bin/env", .env = {"ONLY=this"}}});
    ::unsetenv("SCTR_TEST_VARIABLE");
    EXPECT_THAT(read_text(file("out")),
                AllOf(HasSubstr("SCTR_TEST_VARIABLE=here\n"), testing::EndsWith("\nONLY=this\n")));
}

TEST_F(Hooks, WithoutArgumentsAreNamedByTheirPath) {
    std::ofstream(file("hook")) << "#!/bin/sh\necho $# > " + file("count") + "\n";
    ::chmod(file("hook").c_str(), 0755);
    run({{.path = file("hook")}});
    EXPECT_EQ(read_text(file("count")), "0\n");
}

TEST_F(Hooks, StartWithDefaultSignalsAndStandardFdsOnly) {
    const UniqueFd leaked(::fcntl(0, F_DUPFD, 100)); // what a caller may leave us
    ::signal(SIGPIPE, SIG_IGN);
    spec_.annotations = {{"run.oci.hooks.stdout", file("out")}};
    run({{.path = "/bin/ls", .args = {"ls", "/proc/self/fd"}},
         {.path = "/bin/grep", .args = {"grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"}}});
    ::signal(SIGPIPE, SIG_DFL);
    EXPECT_EQ(read_text(file("out")),
              "0\n1\n2\n3\n" // ls has the directory open
              "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(Hooks, FailureNamesPlacePathStatusAndOutput) {
    const struct {
        std::vector<oci::Hook> hooks;
        std::vector<const char*> parts;
    } cases[] = {
        {{shell("exit 0"), shell("echo first; echo 'no\nmoney' >&2; exit 3")},
         {"/hooks/createRuntime/1 (/bin/sh)", "exit status 3", ": no money"}},
        {{shell("exit 255")}, {"/hooks/createRuntime/0", "exit status 255"}},
        {{shell("kill -9 $$")}, {"killed by signal 9"}},
        {{{.path = "/no/such/hook"}}, {"(/no/such/hook)", "No such file or directory"}},
        {{{.path = "/etc/passwd"}}, {"(/etc/passwd)", "Permission denied"}},
    };

    for (const auto& each : cases) {
        const std::string message = failure(each.hooks);
        for (const char* part : each.parts) {
            EXPECT_THAT(message, HasSubstr(part));
        }
    }
}

TEST_F(Hooks, StopAtTheFirstFailure) {
    EXPECT_NE(failure({shell("exit 1"), shell("touch after")}), "");
    EXPECT_FALSE(std::filesystem::exists(file("after")));
}

TEST_F(Hooks, OutputOfOneIsNotQuotedForTheNext) {
    EXPECT_THAT(failure({shell("echo old >&2"), shell("exit 1")}), Not(HasSubstr("old")));
}

TEST_F(Hooks, QuoteTheEndOfLongOutput) {
    const std::string message =
        failure({shell("i=0; while [ $i -lt 3000 ]; do echo x$i >&2; i=$((i+1)); done; exit 1")});
    EXPECT_THAT(message, HasSubstr("x2998 x2999"));
    EXPECT_THAT(message, Not(HasSubstr("x2000")));
    EXPECT_LT(message.size(), 1000U);
}

TEST_F(Hooks, LateOnesAreKilledWithTheirChildren) {
    const auto before = std::chrono::steady_clock::now();
    auto hook = shell("sleep 60 & echo $! > child; wait");
    hook.env = {"PATH=/bin:/usr/bin"};
    hook.timeout = 1;
    EXPECT_THAT(failure({hook}), HasSubstr("did not end within 1 s"));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
    // It is killed, and somebody else's to reap: its pidfd tells when it is dead.
    const UniqueFd child(sys::pidfd_open(std::stoi(read_text(file("child")))));
    struct pollfd item{child.get(), POLLIN, 0};
    constexpr int patience_ms = 10'000;
    EXPECT_TRUE(!child.valid() || ::poll(&item, 1, patience_ms) == 1);
}

TEST_F(Hooks, MayLeaveAServiceBehindThatHoldsTheirOutput) {
    auto hook = shell("sleep 60 & echo $! > child; exit 0");
    hook.env = {"PATH=/bin:/usr/bin"};
    EXPECT_EQ(failure({hook}), "");
    EXPECT_EQ(::kill(std::stoi(read_text(file("child"))), SIGKILL), 0);
}

TEST_F(Hooks, NeedNotReadTheState) {
    state_.annotations["large"] = std::string(1 << 20, 'x'); // more than any pipe holds
    EXPECT_EQ(failure({shell("exit 0")}), "");
    EXPECT_EQ(failure({shell("exec <&-; exit 0")}), "");
    EXPECT_EQ(failure({shell("wc -c > size")}), "");
    EXPECT_GT(std::stoi(read_text(file("size"))), 1 << 20);
}

TEST_F(Hooks, AppendToTheFilesOfTheAnnotations) {
    spec_.annotations = {{"run.oci.hooks.stdout", file("out")},
                         {"run.oci.hooks.stderr", file("err")}};
    std::ofstream(file("out")) << "before\n";
    run({shell("echo 1; echo 2 >&2"), shell("echo 3; echo 4 >&2")});
    EXPECT_EQ(read_text(file("out")), "before\n1\n3\n");
    EXPECT_EQ(read_text(file("err")), "2\n4\n");
    EXPECT_THAT(failure({shell("echo why >&2; exit 1")}), HasSubstr("exit status 1"));

    spec_.annotations = {{"run.oci.hooks.stderr", file("no/such/directory")}};
    EXPECT_THROW(open_hook_output(spec_), Error);
}

TEST_F(Hooks, EndWhenSctrIsAskedTo) {
    ::raise(SIGTERM); // blocked by signals_, so it waits there
    EXPECT_THROW(run({shell("sleep 60")}), Interrupted);
    ::raise(SIGWINCH); // asks for nothing
    EXPECT_NO_THROW(run({shell("exit 0")}));
}

TEST_F(Hooks, PoststopRunsOnAfterAFailure) {
    spec_.hooks.poststop = {shell("exit 4"), shell("cat > state"), {.path = "/no/such"}};
    const auto failed = run_poststop_hooks(spec_, state_);
    ASSERT_EQ(failed.size(), 2U);
    EXPECT_THAT(failed[0].what(), HasSubstr("/hooks/poststop/0 (/bin/sh): exit status 4"));
    EXPECT_THAT(failed[1].what(), HasSubstr("/hooks/poststop/2 (/no/such)"));
    const auto state = nlohmann::json::parse(read_text(file("state")));
    EXPECT_EQ(state["status"], "stopped");
    EXPECT_FALSE(state.contains("pid"));
}

} // namespace
} // namespace sctr::container
