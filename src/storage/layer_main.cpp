// SPDX-License-Identifier: LGPL-2.1-or-later

/// sctr-layer: does to the files of layers what takes the ids of their owners, and reads what
/// strangers have packed. A program of its own, so that nothing else loads libarchive.

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/error_data.hpp"
#include "storage/confine.hpp"
#include "storage/layer_jobs.hpp"
#include "storage/layer_mount.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/members.hpp"
#include "storage/pack.hpp"
#include "storage/stop.hpp"
#include "storage/tree_copy.hpp"
#include "storage/tree_diff.hpp"
#include "storage/unpack_tree.hpp"
#include "storage/view_files.hpp"

namespace sctr::storage {
namespace {

int flushed() {
    return std::fflush(stdout) == 0 ? 0 : 1;
}

/// The whole of some small members of an archive, each as NAME NUL TEXT NUL, whatever else it has.
int show(const std::vector<std::string>& words) {
    confine_to_reading(words.front());
    const auto found = read_members(words.front(), {words.begin() + 1, words.end()});
    for (const auto& [name, text] : found) {
        for (const std::string& part : {name, text}) {
            std::fwrite(part.data(), 1, part.size(), stdout);
            std::fputc('\0', stdout);
        }
    }
    return flushed();
}

/// The digests of an archive as it is and decompressed.
int digest(const std::string& path) {
    confine_to_reading(path);
    LayerStream stream(path);
    stream.drain();
    std::printf("%s %s\n", stream.digest().c_str(), stream.diff_digest().c_str());
    return flushed();
}

void write_out(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            throw Error("cannot write the layer").because(errno);
        }
        bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
}

/// The archive of a layer, from its recipe.
int assemble(const std::string& recipe, const std::string& diff_digest) {
    confine_to_reading(recipe);
    const auto stream = LayerStream::of_recipe(recipe);
    const void* bytes = nullptr;
    ssize_t size = 0;
    while ((size = stream->read(&bytes)) > 0) {
        write_out({static_cast<const char*>(bytes), static_cast<std::size_t>(size)});
    }
    if (size < 0) {
        throw Error(stream->failure());
    }
    if (stream->diff_digest() != diff_digest) {
        throw Error("the layer has changed").at(recipe);
    }
    return 0;
}

/// What marks opaque directories is read with CAP_SYS_ADMIN.
int pack(const std::string& directory, const PackOptions& options) {
    const UniqueFd tree = open_place(directory);
    const bool is_layer = options.meaning == Meaning::layer;
    (void)confine({.read = {tree.get()},
                   .capabilities =
                       capabilities_to_read() | (is_layer ? capability_set({CAP_SYS_ADMIN}) : 0)});
    pack_tree(directory, STDOUT_FILENO, options);
    return 0;
}

int export_tree(const std::vector<std::string>& layers, bool rootless) {
    const UniqueFd tree = mount_layers({.layers = layers, .user_xattrs = rootless});
    return pack(path_of(tree), {});
}

/// What the first of the layers changes of those below it, a line each: A, C or D and the path.
int diff(const std::vector<std::string>& layers) {
    for (const std::string& line : changes_of(layers.front(), {layers.begin() + 1, layers.end()})) {
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fputc('\n', stdout);
    }
    return flushed();
}

int remove(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        remove_tree(AT_FDCWD, path);
    }
    return 0;
}

/// chown UID GID TREE...: ids as this process sees them.
int run_chown(const std::vector<std::string>& words, bool) {
    for (std::size_t i = 3; i < words.size(); ++i) {
        chown_tree(words[i],
                   static_cast<uid_t>(std::stoul(words[1])),
                   static_cast<gid_t>(std::stoul(words[2])));
    }
    return 0;
}

/// own-as LIKE DIRECTORY: its owner becomes that of the other, as far as it has an id here.
int run_own_as(const std::vector<std::string>& words, bool) {
    constexpr unsigned nobody = 65534; // what has no id looks so
    struct stat like{};
    if (::stat(words[1].c_str(), &like) < 0 ||
        (like.st_uid != nobody && like.st_gid != nobody &&
         ::chown(words[2].c_str(), like.st_uid, like.st_gid) < 0)) {
        throw Error("cannot change the owner").at(words[2]).because(errno);
    }
    return 0;
}

/// layout ARCHIVE DIRECTORY
int run_layout(const std::vector<std::string>& words, bool) {
    struct statvfs space{};
    if (::statvfs(words[2].c_str(), &space) < 0) {
        throw Error("cannot write").at(words[2]).because(errno);
    }
    const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
    prepare_confinement();
    const UniqueFd archive = open_place(words[1]);
    const UniqueFd directory = open_place(words[2]);
    const auto place = confine({.read = {archive.get()},
                                .write = {directory.get()},
                                .capabilities = capabilities_to_read()});
    extract_layout(words[1], path_of(place.front()), available - available / 10);
    return 0;
}

/// unpack-tree DIRECTORY: what "pack-tree" packed, from standard input.
int run_unpack_tree(const std::vector<std::string>& words, bool rootless) {
    CopyJournal journal;
    stop_with_caller();
    prepare_confinement();
    const UniqueFd directory = open_place(words[1]);
    const auto place =
        confine({.write = {directory.get()}, .capabilities = capabilities_to_write()});
    unpack_tree({.archive = "/proc/self/fd/0",
                 .shown = words[1],
                 .rootless = rootless,
                 .must_be_there = true},
                journal,
                [&](bool) -> TreeTarget { return {.directory = path_of(place.front()) + "/."}; });
    return 0;
}

/// add-lines PASSWD GROUP VIEW...: to the account files, where there are any.
int run_add_lines(const std::vector<std::string>& words, bool rootless) {
    add_lines({{"/etc/passwd", words[1]}, {"/etc/group", words[2]}},
              {words.begin() + 3, words.end()},
              rootless);
    return 0;
}

/// copy-from PATH SHOWN AS FOLLOW VIEW...
int run_copy_from(const std::vector<std::string>& words, bool rootless) {
    copy_from(
        {.path = words[1], .shown = words[2], .name = words[3], .follow = words[4] == "follow"},
        {words.begin() + 5, words.end()},
        rootless);
    return 0;
}

/// copy-to PATH SHOWN NAME WHAT OWNERS END VIEW...
int run_copy_to(const std::vector<std::string>& words, bool rootless) {
    copy_to({.path = words[1],
             .shown = words[2],
             .name = words[3],
             .contents = words[4] == "contents",
             .keep_owners = words[5] == "owners",
             .needs_end_mark = words[6] == "marked"},
            {words.begin() + 7, words.end()},
            rootless);
    return 0;
}

/// take-back VIEW...: what copy-to has printed, from standard input.
int run_take_back(const std::vector<std::string>& words, bool rootless) {
    take_copy_back({words.begin() + 1, words.end()}, rootless);
    return 0;
}

struct Verb {
    std::string_view name;
    std::size_t words; ///< at least, the name included
    int (*run)(const std::vector<std::string>& words, bool rootless);
};

constexpr std::array<Verb, 20> verbs{{
    {"unpack",
     1,
     [](const auto&, bool rootless) {
         unpack_layers(rootless);
         return flushed();
     }},
    {"remove", 2, [](const auto& words, bool) { return remove({words.begin() + 1, words.end()}); }},
    {"show", 3, [](const auto& words, bool) { return show({words.begin() + 1, words.end()}); }},
    {"layout", 3, run_layout},
    {"pack", 2, [](const auto& words, bool) { return pack(words[1], {}); }},
    {"unpack-layer",
     2,
     [](const auto& words, bool rootless) {
         unpack_from_input(words[1], rootless);
         return 0;
     }},
    {"own-as", 3, run_own_as},
    {"add-lines", 4, run_add_lines},
    {"export",
     2,
     [](const auto& words, bool rootless) {
         return export_tree({words.begin() + 1, words.end()}, rootless);
     }},
    {"diff", 2, [](const auto& words, bool) { return diff({words.begin() + 1, words.end()}); }},
    {"assemble", 3, [](const auto& words, bool) { return assemble(words[1], words[2]); }},
    {"verify",
     1,
     [](const auto&, bool rootless) {
         verify_layers(rootless);
         return flushed();
     }},
    {"digest", 2, [](const auto& words, bool) { return digest(words[1]); }},
    {"fill",
     4,
     [](const auto& words, bool rootless) {
         fill(words[1], words[2], {words.begin() + 3, words.end()}, rootless);
         return 0;
     }},
    {"copy-from", 6, run_copy_from},
    {"copy-to", 8, run_copy_to},
    {"take-back", 2, run_take_back},
    {"chown", 4, run_chown},
    {"pack-tree",
     2,
     [](const auto& words, bool) { return pack(words[1], {.meaning = Meaning::tree}); }},
    {"unpack-tree", 2, run_unpack_tree},
}};

int run(std::vector<std::string> words) {
    const bool rootless = !words.empty() && words.front() == "--rootless";
    if (rootless) {
        words.erase(words.begin());
    }
    for (const Verb& verb : verbs) {
        if (!words.empty() && words.front() == verb.name && words.size() >= verb.words) {
            return verb.run(words, rootless);
        }
    }
    throw Error("sctr-layer is started by sctr only");
}

} // namespace
} // namespace sctr::storage

int main(int argc, char** argv) {
    // Names are UTF-8, or bytes: in no locale does libarchive translate them.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    ::umask(0);
    struct rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; // a tree is removed with a directory open on each level
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    try {
        const std::span<char*> all(argv, static_cast<std::size_t>(argc));
        return sctr::storage::run({all.begin() + (argc > 0 ? 1 : 0), all.end()});
    } catch (const sctr::Error& error) {
        const std::string data =
            sctr::error_data(error); // for sctr, whose standard error it is not
        std::fwrite(data.data(), 1, data.size(), stderr);
        return 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
