// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths of a hostile root file system: whatever is asked for is found in it, or not at all.
#include "init/paths.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "sandbox.hpp"

namespace sctr::test {
namespace {

namespace fs = std::filesystem;
using init::Symlinks;

const std::string root_path = scratch + "/root";
const std::string outside = scratch + "/outside";

std::vector<Entry> tree() {
    std::vector<Entry> entries = {
        dir("d/e"),
        file("d/f", "text"),
        link("d/back", ".."),
        link("abs", "/d"),
        link("rel", "d/e"),
        link("tofile", "/d/f"),
        link("up", "../../../../.."),
        link("out", "../outside"),
        link("absout", outside),
        link("self", "self"),
        link("loop1", "loop2"),
        link("loop2", "loop1"),
        link("dangling", "/made/by/link"),
        link("dangling2", "dangling"),
        link("danglingout", "../../outside/new"),
    };
    // The kernel follows 40 links of a path; path_resolution(7). Those count that it followed
    // before a rename or mount elsewhere made it begin anew, so that 20 are the most that are sure
    // to be followed.
    for (int i = 0; i < 41; ++i) {
        entries.push_back(
            link("chain" + std::to_string(i), i == 40 ? "d" : "chain" + std::to_string(i + 1)));
    }
    return entries;
}

/// A root beside a directory that nobody may reach from it.
UniqueFd hostile_root() {
    make_tree(root_path, tree());
    make_tree(outside, {file("secret", "secret")});
    return open_root(root_path);
}

/// The path inside the root that an fd stands for, or the name of errno.
std::string found(const UniqueFd& fd) {
    const std::string path = where(fd);
    if (path == root_path) {
        return "/";
    }
    return path.starts_with(root_path + "/") ? path.substr(root_path.size()) : path;
}

struct Case {
    const char* path;
    const char* follow;
    const char* refuse;
};

TEST(OpenPath, StaysInsideTheRoot) {
    expect_passes([] {
        const UniqueFd root = hostile_root();
        const std::vector<Case> cases = {
            {"/", "/", "/"},
            {"", "ENOENT", "ENOENT"},
            {".", "/", "/"},
            {"d", "/d", "/d"},
            {"/d/e", "/d/e", "/d/e"},
            {"//d///e/", "/d/e", "/d/e"},
            {"/d/../d/./e", "/d/e", "/d/e"},
            {"/d/f", "/d/f", "/d/f"},
            {"/d/f/", "ENOTDIR", "ENOTDIR"},
            {"/d/f/x", "ENOTDIR", "ENOTDIR"},
            {"/missing", "ENOENT", "ENOENT"},
            {"..", "/", "/"},
            {"/../../..", "/", "/"},
            {"/../outside", "ENOENT", "ENOENT"},
            {"/d/../../../outside/secret", "ENOENT", "ENOENT"},
            {"/abs", "/d", "ELOOP"},
            {"/abs/e", "/d/e", "ELOOP"},
            {"/rel", "/d/e", "ELOOP"},
            {"/tofile", "/d/f", "ELOOP"},
            {"/up", "/", "ELOOP"},
            {"/up/d", "/d", "ELOOP"},
            {"/d/back/d/back/abs/e", "/d/e", "ELOOP"},
            {"/out", "ENOENT", "ELOOP"},
            {"/out/secret", "ENOENT", "ELOOP"},
            {"/absout/secret", "ENOENT", "ELOOP"},
            {"/dangling", "ENOENT", "ELOOP"},
            {"/self", "ELOOP", "ELOOP"},
            {"/loop1/x", "ELOOP", "ELOOP"},
            {"/chain21", "/d", "ELOOP"},
            {"/chain0", "ELOOP", "ELOOP"},
        };
        for (const auto& [path, follow, refuse] : cases) {
            EXPECT_EQ(found(init::open_path(root.get(), path)), follow) << path;
            EXPECT_EQ(found(init::open_path(root.get(), path, Symlinks::refuse)), refuse) << path;
        }
    });
}

TEST(OpenPath, TakesNoMagicLink) {
    expect_passes([] {
        const UniqueFd root = hostile_root();
        const UniqueFd secret = open_root(outside);
        make_tree(root_path, {dir("proc")});
        ASSERT_EQ(::mount("proc", (root_path + "/proc").c_str(), "proc", 0, nullptr), 0);
        for (const std::string path : {"/proc/self/root",
                                       "/proc/self/cwd",
                                       "/proc/self/exe",
                                       "/proc/self/ns/mnt",
                                       "/proc/thread-self/root/etc",
                                       "/proc/self/fd/0"}) {
            EXPECT_EQ(found(init::open_path(root.get(), path)), "ELOOP") << path;
            EXPECT_EQ(found(init::make_directory(root.get(), path)), "ELOOP") << path;
            EXPECT_EQ(found(init::make_file(root.get(), path)), "ELOOP") << path;
        }
        const std::string held = "/proc/self/fd/" + std::to_string(secret.get()) + "/secret";
        EXPECT_EQ(found(init::open_path(root.get(), held)), "ELOOP");
    });
}

/// A case of what makes things; each gets a tree of its own.
void expect_made(const std::vector<Case>& cases,
                 UniqueFd (*make)(int, const std::string&, Symlinks) noexcept) {
    for (const auto& [path, follow, refuse] : cases) {
        for (const Symlinks mode : {Symlinks::follow, Symlinks::refuse}) {
            fs::remove_all(root_path);
            fs::remove_all(outside);
            const UniqueFd root = hostile_root();
            const bool follows = mode == Symlinks::follow;
            const std::string what = std::string(path) + (follows ? " follow" : " refuse");
            EXPECT_EQ(found(make(root.get(), path, mode)), follows ? follow : refuse) << what;
            EXPECT_EQ(std::distance(fs::directory_iterator(outside), {}), 1) << what;
            EXPECT_EQ(std::distance(fs::directory_iterator(scratch), {}), 2) << what;
        }
    }
}

TEST(MakeDirectory, MakesWhatIsMissingInsideTheRoot) {
    expect_passes([] {
        expect_made(
            {
                {"/", "/", "/"},
                {"/d/e", "/d/e", "/d/e"},
                {"/new", "/new", "/new"},
                {"new", "/new", "/new"},
                {"/new/a/b", "/new/a/b", "/new/a/b"},
                {"//new//a/", "/new/a", "/new/a"},
                {"/d/./new", "/d/new", "/d/new"},
                {"/d/../new", "/new", "/new"},
                {"/../../new", "/new", "/new"},
                {"/gone/../new", "/new", "/new"},
                {"/d/f/new", "ENOTDIR", "ENOTDIR"},
                {"/abs/new", "/d/new", "ELOOP"},
                {"/up/new", "/new", "ELOOP"},
                {"/rel/../new", "/d/new", "ELOOP"},
                {"/out/new", "/outside/new", "ELOOP"},
                {"/absout/new", "/tmp/outside/new", "ELOOP"},
                {"/dangling", "/made/by/link", "ELOOP"},
                {"/dangling/new", "/made/by/link/new", "ELOOP"},
                {"/dangling2/new", "/made/by/link/new", "ELOOP"},
                {"/danglingout", "/outside/new", "ELOOP"},
                {"/self", "ELOOP", "ELOOP"},
                {"/loop1/new", "ELOOP", "ELOOP"},
                {"/chain21/new", "/d/new", "ELOOP"},
                {"/chain0/new", "ELOOP", "ELOOP"},
            },
            init::make_directory);
    });
}

TEST(MakeFile, MakesWhatIsMissingInsideTheRoot) {
    expect_passes([] {
        expect_made(
            {
                {"/d/f", "/d/f", "/d/f"},
                {"/d/e", "/d/e", "/d/e"}, // what is there is given, whatever it is
                {"/new", "/new", "/new"},
                {"/new/a/b", "/new/a/b", "/new/a/b"},
                {"/d/../new", "/new", "/new"},
                {"/../new", "/new", "/new"},
                {"/new/", "ENOENT", "ENOENT"},
                {"/d/f/new", "ENOTDIR", "ENOTDIR"},
                {"/tofile", "/d/f", "ELOOP"},
                {"/abs/new", "/d/new", "ELOOP"},
                {"/up/new", "/new", "ELOOP"},
                {"/out/new", "/outside/new", "ELOOP"},
                {"/dangling", "/made/by/link", "ELOOP"},
                {"/dangling2", "/made/by/link", "ELOOP"},
                {"/dangling/new", "/made/by/link/new", "ELOOP"},
                {"/danglingout", "/outside/new", "ELOOP"},
                {"/self", "ELOOP", "ELOOP"},
                {"/loop1", "ELOOP", "ELOOP"},
                {"/chain0", "ELOOP", "ELOOP"},
            },
            init::make_file);
    });
}

TEST(Make, GivesWhatItMakesToEveryone) {
    expect_passes([] {
        const UniqueFd root = hostile_root();
        struct stat info{};
        const UniqueFd directory = init::make_directory(root.get(), "/a/b");
        ASSERT_EQ(::fstat(directory.get(), &info), 0);
        EXPECT_EQ(info.st_mode, mode_t{S_IFDIR | 0755});
        const UniqueFd made = init::make_file(root.get(), "/a/c");
        ASSERT_EQ(::fstat(made.get(), &info), 0);
        EXPECT_EQ(info.st_mode, mode_t{S_IFREG | 0644});
        EXPECT_EQ(info.st_size, 0);
    });
}

/// Ends a child of the test's.
class Killed {
  public:
    explicit Killed(pid_t pid) : pid_(pid) {}

    Killed(const Killed&) = delete;
    Killed& operator=(const Killed&) = delete;
    Killed(Killed&&) = delete;
    Killed& operator=(Killed&&) = delete;

    ~Killed() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

  private:
    pid_t pid_;
};

/// Swaps two names below the root for as long as it lives.
pid_t swap_forever(const char* one, const char* other) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) {
            ::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
        }
    }
    return child;
}

TEST(Race, NeverLeadsOutside) {
    expect_passes([] {
        // place/x is now a directory, now a link to one outside.
        make_tree(root_path, {dir("place/x/deep"), link("trap", "../../../outside")});
        make_tree(outside, {dir("deep"), file("secret")});
        const UniqueFd root = open_root(root_path);
        const Killed swapper(
            swap_forever((root_path + "/place/x").c_str(), (root_path + "/trap").c_str()));
        int made = 0;
        for (int i = 0; i < 3000; ++i) {
            const std::string name = "/place/x/deep/n" + std::to_string(i);
            for (const Symlinks mode : {Symlinks::follow, Symlinks::refuse}) {
                for (auto* const make : {init::make_directory, init::make_file}) {
                    const std::string got = where(make(root.get(), name, mode));
                    made += got.starts_with(root_path + "/") ? 1 : 0;
                    ASSERT_TRUE(got.starts_with(root_path + "/") || got.starts_with("E")) << got;
                }
            }
        }
        EXPECT_GT(made, 0) << "the race was never won";
        EXPECT_TRUE(fs::is_empty(outside + "/deep"));
    });
}

TEST(Race, ParentOfALinkToTheRootStaysInside) {
    expect_passes([] {
        // up leads to the root itself, where ".." must end, also when up vanishes between two
        // looks.
        make_tree(root_path, {link("up", "/")});
        const UniqueFd root = open_root(root_path);
        const pid_t mover = ::fork();
        if (mover == 0) {
            for (;;) {
                ::rename((root_path + "/up").c_str(), (root_path + "/hidden").c_str());
                ::rename((root_path + "/hidden").c_str(), (root_path + "/up").c_str());
            }
        }
        const Killed killed(mover);
        for (int i = 0; i < 20000; ++i) {
            const std::string got = where(init::make_directory(root.get(), "/up/../up/.."));
            ASSERT_TRUE(got == root_path || got.starts_with(root_path + "/") || got[0] == 'E')
                << got;
            ASSERT_NE(got, scratch);
        }
    });
}

TEST(PathParts, AreCutAtTheLastSlash) {
    struct Parts {
        const char* path;
        const char* parent;
        const char* name;
    };

    for (const auto& [path, parent, name] : std::initializer_list<Parts>{
             {"/a/b", "/a", "b"},
             {"/a", "/", "a"},
             {"a", "/", "a"},
             {"/", "/", ""},
             {"/a/", "/a", ""},
         }) {
        EXPECT_EQ(init::parent_of(path), parent) << path;
        EXPECT_EQ(init::name_of(path), name) << path;
    }
}

} // namespace
} // namespace sctr::test
