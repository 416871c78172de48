// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "cli/ps_view.hpp"
#include "cli/service_flags.hpp"
#include "container/definition.hpp"
#include "plan/service.hpp"

namespace sctr {
namespace {

using container::Definition;
using container::LastRun;
using plan::Restart;
using plan::ServiceOptions;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(DropIn, SaysWhatTheTemplateDoesNot) {
    struct Case {
        ServiceOptions options;
        const char* text; ///< after the comment
    };

    const std::vector<Case> cases = {
        {{}, ""},
        {{.restart = Restart::on_failure}, "[Service]\nRestart=on-failure\n"},
        {{.restart = Restart::always}, "[Service]\nRestart=always\n"},
        {{.restart = Restart::on_failure, .most_restarts = 3},
         "[Unit]\nStartLimitIntervalSec=infinity\nStartLimitBurst=4\n"
         "[Service]\nRestart=on-failure\n"},
        {{.after = {"db", "x.mount"}}, "[Unit]\nAfter=sctr@db.service\nAfter=x.mount\n"},
        {{.requisite = {"my.db"}},
         "[Unit]\nRequires=sctr@my.db.service\nAfter=sctr@my.db.service\n"},
        {{.after = {"a%b"}}, "[Unit]\nAfter=sctr@a%%b.service\n"},
        {{.forget = true}, "[Unit]\nCollectMode=inactive-or-failed\n"},
        {{.restart = Restart::always, .after = {"db"}},
         "[Unit]\nAfter=sctr@db.service\n[Service]\nRestart=always\n"},
    };

    for (const auto& each : cases) {
        std::string text = plan::service_drop_in(each.options);
        EXPECT_EQ(text.empty(), text.find("#") != 0);
        while (text.starts_with('#')) {
            text.erase(0, text.find('\n') + 1);
        }
        EXPECT_EQ(text, each.text);
    }
}

Definition full_definition() {
    return {.name = "web",
            .flags = {"--name", "web", "-e", "A=\"\n\\"},
            .command = {"sh", "-c", "", "--", "ü"},
            .working_directory = "/srv/a b",
            .environment = {{"TERM", "xterm"}, {"EMPTY", ""}},
            .env_files = {"A=1\nB\n", ""},
            .description = "/srv: sh",
            .rootfs = "/srv",
            .image = "docker.io/library/web:1",
            .image_digest = "0123",
            .created_usec = 1'700'000'000'123'456,
            .forget = true};
}

TEST(Definition, ComesBackAsItWas) {
    for (const Definition& each : {Definition{}, full_definition()}) {
        EXPECT_EQ(container::definition_from_json(container::to_json(each)), each);
    }
}

TEST(Definition, RefusesWhatIsNone) {
    const std::string good = container::to_json(full_definition());
    for (const std::string& text :
         {std::string(), std::string("{}"), std::string("[1]"), good.substr(0, good.size() / 2)}) {
        EXPECT_THROW(container::definition_from_json(text), Error) << text;
    }
    try {
        container::definition_from_json(R"({"version": 2})");
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("newer sctr"));
    }
    EXPECT_THROW(container::to_json(Definition{.command = {"\xff"}}), Error);
}

TEST(LastRun, ComesBackAsItWas) {
    const LastRun failed{.boot_id = "b",
                         .started_usec = 1,
                         .finished_usec = 2,
                         .exit_status = 127,
                         .error = "no such file"};
    const LastRun killed{.boot_id = "b", .exit_status = 137, .oom_killed = true};
    for (const LastRun& each : {LastRun{}, failed, killed}) {
        EXPECT_EQ(container::last_run_from_json(container::to_json(each)), each);
    }
    for (const char* spoilt : {"", "{\"bootId", "[]", "{\"bootId\": 7}"}) {
        EXPECT_EQ(container::last_run_from_json(spoilt), LastRun{}) << spoilt;
    }
}

/// The flags of `sctr run WORDS`.
cli::RunFlags parsed(const std::vector<std::string>& words) {
    return cli::parse_run_flags(words);
}

TEST(ServiceFlags, BecomeOptions) {
    const std::vector<std::pair<std::vector<std::string>, ServiceOptions>> cases = {
        {{"-d"}, {}},
        {{"true"}, {}},
        {{"-d", "--restart", "no"}, {}},
        {{"-d", "--rm=false"}, {}},
        {{"-d", "--rm"}, {.forget = true}},
        {{"-d", "--restart=unless-stopped"}, {.restart = Restart::always}},
        {{"-d", "--restart=on-failure"}, {.restart = Restart::on_failure}},
        {{"-d", "--restart=on-failure:3"}, {.restart = Restart::on_failure, .most_restarts = 3}},
        {{"-d", "--restart=on-failure:0"}, {.restart = Restart::on_failure}}, // as in docker
        {{"-d", "--sig-proxy=false"}, {}},
        {{"-d", "--preserve-fds", "0"}, {}},
        {{"-dt", "--after", "a", "--after", "b.target", "--requires", "c"},
         {.after = {"a", "b.target"}, .requisite = {"c"}}},
    };
    for (const auto& [words, options] : cases) {
        EXPECT_EQ(cli::service_options(parsed(words)), options);
    }
}

TEST(ServiceFlags, Refused) {
    const std::vector<std::vector<std::string>> cases = {
        {"--restart", "always"},
        {"--after", "db"},
        {"--requires", "db"},
        {"-d", "--restart", "maybe"},
        {"-d", "--restart", "on-failure:"},
        {"-d", "--restart", "on-failure:often"},
        {"-d", "--restart", "on-failure:-1"},
        {"-d", "--restart", "always:3"},
        {"-d", "--restart", "no:3"},
        {"-d", "--preserve-fds", "1"},
        {"-d", "--preserve-fd", "5"},
        {"--sig-proxy=false"},
        {"-d", "--rm", "--restart", "always"},
        {"-d", "-i"},
        {"-d", "--after", ""},
        {"-d", "--requires", "a b"},
        {"-d", "--requires", "a\nb"},
    };
    for (const auto& words : cases) {
        EXPECT_THROW(cli::service_options(parsed(words)), Error) << words.back();
    }
}

TEST(ServiceFlags, KeepWhatFilesAndTheCallerSaid) {
    cli::RootfsFacts facts;
    facts.label_files = {{"/labels", "a=1\nb=2\n"}};
    facts.environment = {{"OWN", "mine"}, {"http_proxy", "p"}};
    plan::Request request;
    request.id = "web";
    const auto definition_of = [&](std::vector<std::string> words) {
        words.insert(words.end(), {"--rootfs=/r", "--", "sh"});
        return cli::make_definition(parsed(words), request, facts);
    };
    const auto definition =
        definition_of({"--label-file", "/labels", "--label-file=/x", "-l", "b=3"});
    const auto flags = parsed(definition.flags);
    EXPECT_THAT(flags.label_files, testing::IsEmpty());
    EXPECT_THAT(flags.labels, ElementsAre("a=1", "b=2", "b=3"));
    EXPECT_THAT(definition.environment, testing::IsEmpty());
    EXPECT_THAT(definition_of({"--http-proxy"}).environment,
                ElementsAre(std::pair("http_proxy", "p")));
    EXPECT_EQ(definition_of({"--env-host"}).environment, facts.environment);
}

TEST(ServiceFlags, AreKeptSoThatTheyMeanTheSame) {
    const cli::RunFlags flags = parsed({"-d",
                                        "--rootfs",
                                        "root",
                                        "-e",
                                        "TAKEN",
                                        "-e",
                                        "OWN=1",
                                        "--pidfile",
                                        "run/pid",
                                        "--security-opt",
                                        "seccomp=profile",
                                        "--",
                                        "--rootfs",
                                        "-d"});
    cli::RootfsFacts facts;
    facts.rootfs = "/srv/root";
    facts.working_directory = "/srv";
    facts.env_files = {"# no\n FROM_FILE\nX=1\n"};
    facts.environment = {{"TAKEN", "t"}, {"FROM_FILE", "f"}, {"OTHER", "o"}, {"X", "x"}};
    plan::Request request;
    request.id = "random";
    const Definition definition = cli::make_definition(flags, request, facts);
    EXPECT_THAT(definition.environment,
                ElementsAre(std::pair{"FROM_FILE", "f"}, std::pair{"TAKEN", "t"}));

    const cli::RunFlags again = parsed(cli::words_of(definition));
    EXPECT_EQ(again.name, "random");
    EXPECT_EQ(again.rootfs, "/srv/root");
    EXPECT_EQ(again.pid_file, "/srv/run/pid");
    EXPECT_TRUE(again.detach);
    EXPECT_THAT(again.privileges.security_opts, Contains("seccomp=/srv/profile"));
    EXPECT_THAT(again.process.env, ElementsAre("TAKEN", "OWN=1"));
    EXPECT_THAT(again.command, ElementsAre("--rootfs", "-d"));
    EXPECT_EQ(cli::caller_of(definition).working_directory, "/srv");
}

TEST(ServiceFlags, AreThereOnce) {
    struct Case {
        std::vector<std::string> flags;
        std::vector<std::string> kept;
    };

    const std::vector<Case> cases = {
        {{"-d", "--name", "a", "-e", "A=1", "--name=b", "--detach=true"},
         {"-e", "A=1", "--name=b", "--detach=true"}},
        {{"-m", "1g", "--cpus", "1", "--memory=2g", "-m", "3g"}, {"--cpus", "1", "-m", "3g"}},
        {{"-e", "A=1", "-e", "A=1", "-v", "/a", "-v", "/a"},
         {"-e", "A=1", "-e", "A=1", "-v", "/a", "-v", "/a"}},
        {{"-w", "--name", "--name", "x"}, {"-w", "--name", "--name", "x"}},
        {{"-it", "-i=false", "--tty=false"}, {"-it", "-i=false", "--tty=false"}},
        {{"--unknown", "--unknown"}, {"--unknown", "--unknown"}},
        {{"--name", "", "--name"}, {"--name"}},
        {{}, {}},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(cli::without_overridden(each.flags), each.kept);
    }
}

TEST(ServiceFlags, OfAnUpdateAreInThePlaceOfOthers) {
    struct Case {
        std::vector<std::string> flags;
        std::vector<std::string> given;
        std::vector<std::string> kept;
    };

    const std::vector<Case> cases = {
        {{"--cpus", "1", "-d"}, {"--cpu-quota=5000"}, {"-d", "--cpu-quota=5000"}},
        {{"--cpu-quota", "5000", "--cpu-period=9000"}, {"--cpus", "2"}, {"--cpus", "2"}},
        {{"--cpu-quota", "5000", "--cpu-period=9000"}, {"--cpu-quota=1"}, {"--cpu-quota=1"}},
        {{"--cpu-weight=3"}, {"--cpu-shares", "9", "-m", "1g"}, {"--cpu-shares", "9", "-m", "1g"}},
        {{"-m", "2g", "--cpu-shares=9", "--cpus=1"},
         {"-m1g", "--cpu-weight=5"},
         {"-m", "2g", "--cpus=1", "-m1g", "--cpu-weight=5"}},
        {{"-e", "--cpus", "--cpus=1"},
         {"--restart=no"},
         {"-e", "--cpus", "--cpus=1", "--restart=no"}},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(cli::with_limits(each.flags, each.given), each.kept);
    }
}

TEST(Ps, StoredOnes) {
    struct Case {
        std::optional<LastRun> run;
        const char* status;
    };

    const std::vector<Case> cases = {
        {std::nullopt, "created "},
        {LastRun{.exit_status = 3}, "exited (3) "},
        {LastRun{.exit_status = 137, .oom_killed = true}, "exited (137) oom "},
        {LastRun{}, "stopped "},
    };
    for (const auto& each : cases) {
        const std::string text = cli::ps_table({cli::stored_row(full_definition(), each.run)}, 0);
        EXPECT_THAT(text,
                    HasSubstr("\nweb   docker.io/library/web:1  -    " + std::string(each.status)));
        EXPECT_THAT(text, HasSubstr(" sctr@web.service\n"));
    }
}

} // namespace
} // namespace sctr
