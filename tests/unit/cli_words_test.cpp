// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/exec_process.hpp"
#include "cli/flags.hpp"
#include "cli/ps_filter.hpp"
#include "cli/ps_view.hpp"
#include "plan/capabilities.hpp"

/// Where flags end, names nearby, the process of exec, the table of ps.
namespace sctr::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;

struct Flags {
    std::optional<std::string> text;
    std::vector<std::string> many;
    bool on = false;
    bool tty = false;
};

void add_all(CLI::App& app, Flags& flags) {
    add_text(app, "-x,--text", flags.text, "");
    add_texts(app, "-m,--many", flags.many, "");
    add_switch(app, "-i,--on", flags.on, "");
    add_switch(app, "-t,--tty", flags.tty, "");
}

TEST(Words, FlagsEndWhereTheCommandBegins) {
    const struct {
        const char* line;
        const char* flags; ///< joined by "|"
        const char* rest;
    } cases[] = {
        {"sh -c x", "", "sh|-c|x"},
        {"-it sh", "-it", "sh"},
        {"-itx v sh", "-itx|v", "sh"},
        {"-xv sh", "-xv", "sh"},
        {"--text a sh --text b", "--text|a", "sh|--text|b"},
        {"--text=a sh", "--text=a", "sh"},
        {"--text= sh", "--text|", "sh"},
        {"-x -1 sh", "-x|-1", "sh"},
        {"--text -- sh", "--text|--", "sh"},
        {"-i -- -t", "-i", "-t"},
        {"--on=false sh", "--on=false", "sh"},
        {"--unknown sh", "--unknown", "sh"},
        {"-", "", "-"},
        {"--text", "--text", ""},
    };

    Flags flags;
    CLI::App app("", "app");
    add_all(app, flags);
    for (const auto& each : cases) {
        const auto split_line = split_words(app, split(each.line, ' '));
        EXPECT_EQ(join(split_line.flags, "|"), each.flags) << each.line;
        EXPECT_EQ(join(split_line.rest, "|"), each.rest) << each.line;
    }
}

TEST(Words, FlagsTakeOneValueEachAndTheLastScalarWins) {
    Flags flags;
    CLI::App app("", "app");
    add_all(app, flags);
    parse_flags(app, {"-m", "a,b", "-x", "1", "--many=[c]", "-it", "--text=2", "--on=false"});
    EXPECT_THAT(flags.many, ElementsAre("a,b", "[c]"));
    EXPECT_EQ(flags.text, "2");
    EXPECT_FALSE(flags.on);
    EXPECT_TRUE(flags.tty);
}

TEST(Words, EmptyValuesAreValues) {
    Flags flags;
    CLI::App app("", "app");
    add_all(app, flags);
    parse_flags(app, split_words(app, {"--text=", "-m", "", "-i"}).flags);
    EXPECT_EQ(flags.text, "");
    EXPECT_THAT(flags.many, ElementsAre(""));
    EXPECT_TRUE(flags.on);
}

TEST(Words, NamesMayStandBetweenFlags) {
    Flags flags;
    CLI::App app("", "app");
    add_all(app, flags);
    EXPECT_THAT(parse_names(app, {"a", "-x", "v", "b", "--on"}), ElementsAre("a", "b"));
    EXPECT_EQ(flags.text, "v");
    EXPECT_TRUE(flags.on);
}

TEST(Words, HelpIsText) {
    Flags flags;
    CLI::App app("Does it.", "app verb");
    describe(app, "NAME...", {"app verb x"});
    add_all(app, flags);
    try {
        parse_flags(app, {"--help"});
        FAIL() << "no help";
    } catch (const HelpText& help) {
        EXPECT_THAT(help.text, HasSubstr("Usage: app verb NAME..."));
        EXPECT_THAT(help.text, HasSubstr("app verb x"));
    }
}

TEST(Words, Nearest) {
    const std::vector<std::string> verbs = {"run", "exec", "ps", "pause", "unpause"};
    EXPECT_EQ(nearest("rnu", verbs), "run");
    EXPECT_EQ(nearest("excec", verbs), "exec");
    EXPECT_EQ(nearest("unpuase", verbs), "unpause");
    EXPECT_EQ(nearest("frobnicate", verbs), "");
}

oci::Spec container() {
    oci::Spec spec;
    spec.process = oci::Process{.user = {.uid = 5, .gid = 6, .umask = 027},
                                .args = {"init"},
                                .env = {"PATH=/bin", "HOME=/five", "A=1"},
                                .cwd = "/srv",
                                .no_new_privileges = true};
    spec.process->capabilities = oci::Capabilities{.bounding = {"CAP_CHOWN", "CAP_KILL"}};
    return spec;
}

RootfsFacts exec_facts() {
    RootfsFacts facts;
    facts.passwd = "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/www:/bin/sh\n";
    facts.environment = {{"MINE", "yes"}};
    return facts;
}

TEST(ExecProcess, StartsFromTheContainersOwn) {
    const auto process = exec_process(container(), {}, {"ls", "-l"}, exec_facts());
    EXPECT_THAT(process.args, ElementsAre("ls", "-l"));
    EXPECT_THAT(process.env, ElementsAre("PATH=/bin", "HOME=/five", "A=1"));
    EXPECT_EQ(process.cwd, "/srv");
    EXPECT_EQ(process.user.uid, 5U);
    EXPECT_TRUE(process.no_new_privileges);
    EXPECT_FALSE(process.terminal);
}

TEST(ExecProcess, FlagsChangeIt) {
    const ProcessFlags flags{.env = {"A=2", "MINE"}, .workdir = "/w", .user = "0", .tty = true};
    const auto process = exec_process(container(), flags, {"ls"}, exec_facts());
    EXPECT_THAT(process.env, IsSupersetOf({"A=2", "MINE=yes", "HOME=/root", "TERM=xterm"}));
    EXPECT_EQ(process.cwd, "/w");
    EXPECT_EQ(process.user.uid, 0U);
    EXPECT_EQ(process.user.umask, 027U);
    EXPECT_TRUE(process.terminal);
    EXPECT_THAT(process.capabilities->effective, ElementsAre("CAP_CHOWN", "CAP_KILL"));
}

TEST(ExecProcess, AnotherUserHasNoCapabilities) {
    const auto process = exec_process(container(), {.user = "web"}, {"ls"}, exec_facts());
    EXPECT_TRUE(process.capabilities->effective.empty());
    EXPECT_THAT(process.capabilities->bounding, ElementsAre("CAP_CHOWN", "CAP_KILL"));
    EXPECT_THAT(process.env, testing::Contains("HOME=/www"));
}

TEST(ExecProcess, PrivilegedRootHasAll) {
    const auto process =
        exec_process(container(), {.user = "root", .privileged = true}, {"ls"}, exec_facts());
    EXPECT_EQ(process.capabilities->effective, plan::all_capabilities(40));
}

TEST(ExecProcess, NeedsACommand) {
    EXPECT_THROW(exec_process(container(), {}, {}, exec_facts()), Error);
}

TEST(Ps, Ages) {
    const struct {
        std::int64_t seconds;
        const char* text;
    } cases[] = {
        {-5, "0 seconds"},
        {0, "0 seconds"},
        {1, "1 second"},
        {59, "59 seconds"},
        {60, "1 minute"},
        {7199, "1 hour"},
        {7200, "2 hours"},
        {86400, "1 day"},
        {14 * 86400, "2 weeks"},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(format_age(each.seconds * 1'000'000), each.text);
    }
}

TEST(Ps, Filters) {
    PsRow web{.record = {.id = "web-1", .image = "docker.io/library/nginx:1"},
              .status = container::Status::running,
              .health = container::Health::healthy,
              .labels = {{"app", "web"}, {"tier", "front"}}};
    PsRow job{.record = {.id = "job", .exit_status = 3}, .status = container::Status::stopped};

    const struct {
        std::vector<std::string> filters;
        bool takes_web;
        bool takes_job;
    } cases[] = {
        {{}, true, true},
        {{"name=web"}, true, false},
        {{"name=web", "name=job"}, true, true},
        {{"name=^web$"}, false, false},
        {{"name=^web-1$"}, true, false},
        {{"name=^/web-1$"}, true, false},
        {{"name=^web"}, true, false},
        {{"name=1$"}, true, false},
        {{"name=b$"}, false, true},
        {{"id=^eb"}, false, false},
        {{"name=web", "status=exited"}, false, false},
        {{"status=exited"}, false, true},
        {{"status=stopped"}, false, true},
        {{"status=running"}, true, false},
        {{"label=app"}, true, false},
        {{"label=app=web", "label=tier=front"}, true, false},
        {{"label=app=web", "label=tier=back"}, false, false},
        {{"label=ap"}, false, false},
        {{"health=healthy"}, true, false},
        {{"health=none"}, false, true},
        {{"exited=3"}, false, true},
        {{"exited=0"}, false, false},
        {{"ancestor=nginx"}, true, false},
        {{"ancestor=nginx:2"}, false, false},
    };

    for (const auto& each : cases) {
        const PsFilter filter(each.filters);
        EXPECT_EQ(filter.takes(web), each.takes_web) << join(each.filters, " ");
        EXPECT_EQ(filter.takes(job), each.takes_job) << join(each.filters, " ");
    }
    EXPECT_TRUE(PsFilter({"status=exited"}).wants_ended());
    EXPECT_TRUE(PsFilter({"status=created"}).wants_ended());
    EXPECT_FALSE(PsFilter({"status=running"}).wants_ended());
    EXPECT_TRUE(PsFilter({"label=a"}).wants_labels());
    for (const char* text : {"colour=red",
                             "name",
                             "name=",
                             "name=^",
                             "name=$",
                             "name=^$",
                             "name=^/$",
                             "name=web|job",
                             "name=we.*",
                             "id=a^b",
                             "status=gone",
                             "health=1",
                             "exited=",
                             "exited=x",
                             "exited=256",
                             "exited=-1"}) {
        EXPECT_THROW(PsFilter({text}), Error) << text;
    }
}

TEST(Ps, TableLinesUp) {
    container::Record web{.id = "web",
                          .unit = "sctr-web.scope",
                          .description = "/r: nginx",
                          .pid = 12,
                          .start_time = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)),
                          .created_usec = 1'000'000};
    container::Record batch = web;
    batch.id = "batch-job";
    batch.exit_status = 137;
    batch.oom_killed = true;
    EXPECT_EQ(ps_table({{web, container::Status::running}, {batch, container::Status::stopped}},
                       61'000'000),
              "NAME       IMAGE  PID  STATUS            UPTIME    COMMAND    UNIT\n"
              "web        -      12   running           1 minute  /r: nginx  sctr-web.scope\n"
              "batch-job  -      -    exited (137) oom  -         /r: nginx  sctr-web.scope\n");
    const std::string json = ps_json({{batch, container::Status::stopped}});
    EXPECT_THAT(json, HasSubstr(R"("exitStatus": 137)"));
    EXPECT_THAT(json, HasSubstr(R"("created": "1970-01-01T00:00:01.000000Z")"));
}

} // namespace
} // namespace sctr::cli
