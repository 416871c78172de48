// SPDX-License-Identifier: LGPL-2.1-or-later
// The stored containers: each is there as a whole or not at all, whatever happens meanwhile.
#include "container/definition.hpp"

#include <gmock/gmock.h>
#include <sys/mount.h>

#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

namespace fs = std::filesystem;
using container::Definition;
using container::DefinitionStore;
using container::LastRun;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string root = scratch + "/containers";

/// What containers have elsewhere.
using Rest = std::set<std::string>;

DefinitionStore store(Rest& rest) {
    return DefinitionStore(root, [&](const std::string& name) { return rest.erase(name) > 0; });
}

template <typename Act> std::string error_of(Act act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

Definition named(const std::string& name) {
    return {.name = name, .flags = {"--name", name}, .command = {"true"}};
}

std::vector<std::string> files() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(root)) {
        found.push_back(entry.path().filename());
    }
    return found;
}

TEST(DefinitionStore, RecoversFromAPowerCut) {
    const std::string whole = container::to_json(named("web"));

    struct Case {
        const char* what;
        std::vector<Entry> left;
        Rest rest_after;
    };

    const std::vector<Case> cases = {
        {"nothing", {}, {"web", "other"}},
        {"begun", {dir(".new")}, {"web", "other"}},
        {"half written", {file(".new/definition.json.new", whole.substr(0, 20))}, {"web", "other"}},
        {"torn", {file(".new/definition.json", whole.substr(0, 20))}, {"web", "other"}},
        {"made but for its name", {file(".new/definition.json", whole)}, {"other"}},
        {"half removed", {file(".old/definition.json", whole), file(".old/last.json")}, {"other"}},
        {"removed but for its last file", {file(".old/last.json")}, {"web", "other"}},
        {"of a name that is there",
         {file(".new/definition.json", whole), file("web/definition.json", whole)},
         {"web", "other"}},
    };
    for (const auto& each : cases) {
        expect_passes([&] {
            make_tree(root, each.left);
            Rest rest{"web", "other"};
            const bool changed = rest != each.rest_after;
            EXPECT_EQ(store(rest).recover(), changed) << each.what;
            EXPECT_EQ(rest, each.rest_after) << each.what;
            EXPECT_FALSE(fs::exists(root + "/.new") || fs::exists(root + "/.old")) << each.what;
        });
    }
}

TEST(DefinitionStore, RecoversBeforeItMakesAnother) {
    expect_passes([] {
        make_tree(root, {file(".new/definition.json", container::to_json(named("lost")))});
        Rest rest{"lost"};
        store(rest).add(named("web"), [&] { rest.insert("web"); });
        EXPECT_THAT(rest, ElementsAre("web"));
        EXPECT_THAT(files(), ElementsAre("web"));
    });
}

TEST(DefinitionStore, HasTheRestBeforeTheContainerAndAfterIt) {
    expect_passes([] {
        Rest rest;
        const DefinitionStore plain(root);
        store(rest).add(named("web"), [&] {
            EXPECT_FALSE(plain.has("web"));
            rest.insert("web");
        });
        EXPECT_TRUE(plain.has("web"));
        const DefinitionStore observed(root, [&](const std::string& name) {
            EXPECT_FALSE(plain.has(name));
            return rest.erase(name) > 0;
        });
        EXPECT_TRUE(observed.remove("web"));
        EXPECT_THAT(rest, IsEmpty());
        EXPECT_FALSE(observed.remove("web"));
    });
}

TEST(DefinitionStore, LeavesNothingOfWhatCouldNotBeMade) {
    expect_passes([] {
        Rest rest;
        const auto fails = [&] {
            store(rest).add(named("web"), [&] {
                rest.insert("web");
                throw Error("no drop-in");
            });
        };
        EXPECT_EQ(error_of(fails), "no drop-in");
        EXPECT_THAT(rest, IsEmpty());
        EXPECT_THAT(files(), IsEmpty());
    });
}

TEST(DefinitionStore, KeepsANameThatIsTaken) {
    expect_passes([] {
        Rest rest;
        store(rest).add(named("web"), [&] { rest.insert("web"); });
        const auto again = [&] { store(rest).add(named("web"), [] { FAIL(); }); };
        EXPECT_THAT(error_of(again), HasSubstr("name is in use"));
        EXPECT_THAT(rest, ElementsAre("web"));
    });
}

TEST(DefinitionStore, CopiesTheLatestRunToo) {
    expect_passes([] {
        Rest rest;
        store(rest).add(named("web"));
        const LastRun run{.boot_id = "b", .finished_usec = 2, .exit_status = 4};
        store(rest).save("web", run);
        store(rest).copy("web", named("new"), [&] { rest.insert("new"); });
        EXPECT_EQ(store(rest).last_run("new"), run);
        EXPECT_THAT(files(), UnorderedElementsAre("web", "new"));
    });
}

/// Takes what is left of the disk, but for `pages`.
void fill_disk(int pages) {
    std::vector<char> page(4096, 'x');
    FILE* file = std::fopen((root + "/filler").c_str(), "we");
    ASSERT_NE(file, nullptr);
    std::setbuf(file, nullptr);
    while (std::fwrite(page.data(), page.size(), 1, file) == 1) {
    }
    const auto size = static_cast<std::uintmax_t>(std::ftell(file));
    std::fclose(file);
    fs::resize_file(root + "/filler", size - page.size() * static_cast<std::size_t>(pages));
}

TEST(DefinitionStore, SaysThatTheDiskIsFull) {
    for (const int pages : {0, 1, 2}) {
        expect_passes([&] {
            fs::create_directory(root);
            ASSERT_EQ(::mount("small", root.c_str(), "tmpfs", 0, "size=64k"), 0);
            Rest rest;
            fill_disk(pages);
            Definition large = named("web");
            large.command.emplace_back(10'000, 'x');
            const auto add = [&] { store(rest).add(large, [] { FAIL(); }); };
            EXPECT_THAT(error_of(add), HasSubstr("No space left on device")) << pages;
            EXPECT_THAT(files(), ElementsAre("filler")) << pages;
        });
    }
}

TEST(DefinitionStore, KnowsNothingOfARunThatItCouldNotWriteDown) {
    expect_passes([] {
        fs::create_directory(root);
        ASSERT_EQ(::mount("small", root.c_str(), "tmpfs", 0, "size=64k"), 0);
        Rest rest;
        const DefinitionStore small = store(rest);
        small.add(named("web"));
        small.save("web", {.boot_id = "b", .finished_usec = 1, .exit_status = 0});
        fill_disk(0);
        EXPECT_THAT(error_of([&] { small.save("web", {.boot_id = "c"}); }),
                    HasSubstr("No space left on device"));
        EXPECT_EQ(small.last_run("web"), LastRun{});
    });
}

} // namespace
} // namespace sctr::test
