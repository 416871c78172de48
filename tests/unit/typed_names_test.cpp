// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/request_builder.hpp"

/// Errors name a flag by the one of its names that was typed.
namespace sctr::cli {
namespace {

void request_of(const std::string& line) {
    std::vector<std::string> words = split("--rootfs=/r " + line, ' ');
    std::erase(words, "");
    RootfsFacts facts;
    facts.rootfs = "/r";
    facts.random_id = "0123456789ab";
    facts.working_directory = "/here";
    const RunFlags flags = parse_run_flags(words);
    as_typed(flags.typed, [&] { build_request(flags, facts); });
}

/// The names of each flag of `sctr run` that has several, by its help: {"-m", "--memory"}.
std::vector<std::vector<std::string>> flags_with_names() {
    std::string help;
    try {
        parse_run_flags({"--help"});
    } catch (const HelpText& text) {
        help = text.text;
    }
    std::vector<std::vector<std::string>> all;
    for (std::string line : split(help, '\n')) {
        if (!line.starts_with("  -")) {
            continue; // what follows in another line is of its description
        }
        std::ranges::replace(line, ',', ' ');
        std::vector<std::string> names;
        for (const std::string& word : split(line, ' ')) {
            if (word.starts_with('-')) {
                names.push_back(word);
            } else if (!word.empty()) {
                break;
            }
        }
        if (names.size() > 1 && names.back() != "--help") {
            all.push_back(names);
        }
    }
    return all;
}

TEST(TypedNames, NamesAFlagAsItWasTyped) {
    const std::map<std::string, const char*> bad_values = {{"--label", "=x"},
                                                           {"--log", "syslog"},
                                                           {"--memory", "much"},
                                                           {"--pids-limit", "-2"},
                                                           {"--slice", "a--b"},
                                                           {"--runtime-max", "soon"},
                                                           {"--network", "x:ip=no"},
                                                           {"--publish", "0:1"},
                                                           {"--volume", "x"},
                                                           {"--env", "=x"},
                                                           {"--workdir", "rel"},
                                                           {"--user", "1:"}};
    const std::set<std::string> switches = {
        "--detach", "--interactive", "--tty", "--publish-all", "--quiet"};

    const auto flags = flags_with_names();
    EXPECT_EQ(flags.size(), bad_values.size() + switches.size());
    for (const auto& names : flags) {
        const auto known = std::ranges::find_if(
            names, [&](const std::string& name) { return bad_values.contains(name); });
        if (known == names.end()) {
            EXPECT_TRUE(switches.contains(names.back()))
                << names.back() << " has no bad value here";
            continue;
        }
        for (const std::string& typed : names) {
            for (const char* between : {" ", typed.starts_with("--") ? "=" : ""}) {
                const std::string line = typed + between + bad_values.at(*known) + " sh";
                try {
                    request_of(line);
                    ADD_FAILURE() << line << ": no error";
                } catch (const Error& error) {
                    EXPECT_TRUE(error.where() == typed || error.where().starts_with(typed + " "))
                        << line << ": " << error.what();
                }
            }
        }
    }
}

TEST(TypedNames, NamesAFlagThatWasTypedByTwoNames) {
    const struct {
        const char* line;
        const char* flag;
    } cases[] = {
        {"--slice a --cgroup-parent=a--b sh", "--cgroup-parent"},
        {"--cgroup-parent a --slice=a--b sh", "--slice"},
        {"-v x --volume /a:/b sh", "-v"},
        {"--volume x -v /a:/b sh", "--volume"},
        {"-p 8080:80 --publish 0:1 sh", "--publish"},
        {"--publish 8080:80 -p 0:1 sh", "-p"},
        {"-itm much sh", "-m"},
        {"-tv x sh", "-v"},
        {"--memory-swap 1g -m 1 sh", "-m"},
    };

    for (const auto& each : cases) {
        try {
            request_of(each.line);
            ADD_FAILURE() << each.line << ": no error";
        } catch (const Error& error) {
            EXPECT_THAT(std::string(error.what()) + " ",
                        testing::ContainsRegex(std::string("[ (]") + each.flag + "[ :)]"))
                << each.line;
        }
    }
}

TEST(TypedNames, LeavesWhatIsNoFlagsNameInErrors) {
    TypedNames names;
    names.add("--memory", "-m", "1g");

    const struct {
        const char* text;
        const char* expected;
    } cases[] = {
        {"--memory", "-m"},
        {"--memory: out of range (give both --memory and --cpus)",
         "-m: out of range (give both -m and --cpus)"},
        {"(--memory)", "(-m)"},
        {"--memory-swap needs --memory", "--memory-swap needs -m"},
        {"bad value '--memory'", "bad value '--memory'"},
        {"see 'sctr update --memory 1g'", "see 'sctr update --memory 1g'"},
        {"a--memory", "a--memory"},
        {"", ""},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(names.in(each.text, ""), each.expected);
    }
}

} // namespace
} // namespace sctr::cli
