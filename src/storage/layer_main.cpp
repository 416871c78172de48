// SPDX-License-Identifier: LGPL-2.1-or-later

/// sctr-layer: does to the files of layers what takes the ids of their owners, and reads what
/// strangers have packed. A program of its own, so that nothing else loads libarchive.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/process.hpp"
#include "storage/layer_mount.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/layer_work.hpp"
#include "storage/layered_file.hpp"
#include "storage/members.hpp"
#include "storage/pack.hpp"
#include "storage/tree_copy.hpp"
#include "storage/tree_diff.hpp"
#include "storage/unpack.hpp"

namespace sctr::storage {
namespace {

/// One layer of an image, from the lowest up. Without a blob it is unpacked already and nothing is
/// to be done; without a recipe it is, and its blob is to be verified.
struct Job {
    LayerSource source;
    std::string directory;
};

std::vector<std::string> read_fields() {
    auto fields = split(read_all(STDIN_FILENO), '\0');
    fields.pop_back(); // after the last NUL
    return fields;
}

/// Five texts a layer, each ended by NUL: blob, its digest, that of its content, directory, recipe.
std::vector<Job> read_jobs() {
    const auto fields = read_fields();
    std::vector<Job> jobs;
    for (std::size_t i = 0; i + 5 <= fields.size(); i += 5) {
        jobs.push_back({.source = {.blob = fields[i],
                                   .digest = fields[i + 1],
                                   .diff_digest = fields[i + 2],
                                   .recipe = fields[i + 4]},
                        .directory = fields[i + 3]});
    }
    return jobs;
}

/// A layer may take what is free but for a tenth, which is the host's.
LayerBounds bounds_for(const std::string& directory) {
    struct statvfs space{};
    LayerBounds bounds;
    if (::statvfs(directory.c_str(), &space) == 0) {
        const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
        bounds.bytes = available - available / 10;
    }
    return bounds;
}

/// Returns the implied directories, each ended by NUL.
std::string work_on(const Job& job, bool rootless) {
    if (job.source.recipe.empty()) {
        verify_layer(job.source);
        return {};
    }
    const auto layer = unpack_layer(job.source, job.directory, bounds_for(job.directory), rootless);
    std::string text;
    for (const std::string& path : layer.implied) {
        text += path + '\0';
    }
    return text;
}

int unpack(bool rootless) {
    const std::vector<Job> jobs = read_jobs();
    std::map<std::size_t, Work> running;
    std::vector<std::string> lower; // the uppermost first
    std::size_t next = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        for (; next < jobs.size() && running.size() < side_by_side(); ++next) {
            if (!jobs[next].source.blob.empty()) {
                running.emplace(next, begin([&] { return work_on(jobs[next], rootless); }));
            }
        }
        if (const auto work = running.find(i); work != running.end()) {
            auto implied = split(end(work->second, jobs[i].source.blob), '\0');
            implied.pop_back(); // after the last NUL
            adopt_implied(jobs[i].directory, {implied.begin(), implied.end()}, lower, rootless);
            running.erase(work);
        }
        lower.insert(lower.begin(), jobs[i].directory);
    }
    for (const char* path : {"etc/passwd", "etc/group"}) {
        std::string text = read_layered(lower, path);
        std::erase(text, '\0');
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fputc('\0', stdout);
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}

/// The whole of some small members of an archive, each as NAME NUL TEXT NUL, whatever else it has.
int show(const std::vector<std::string>& words) {
    const auto found = read_members(words.front(), {words.begin() + 1, words.end()});
    for (const auto& [name, text] : found) {
        for (const std::string& part : {name, text}) {
            std::fwrite(part.data(), 1, part.size(), stdout);
            std::fputc('\0', stdout);
        }
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}

/// The digests of an archive as it is and decompressed.
int digest(const std::string& path) {
    LayerStream stream(path);
    stream.drain();
    std::printf("%s %s\n", stream.digest().c_str(), stream.diff_digest().c_str());
    return std::fflush(stdout) == 0 ? 0 : 1;
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

/// Three texts a layer: recipe or blob, digest, directory. Prints what is wrong, a line each.
int verify(bool rootless) {
    const auto fields = read_fields();
    std::deque<std::pair<Work, std::string>> running;
    const auto end_first = [&] {
        try {
            (void)end(running.front().first, running.front().second);
        } catch (const Error& error) {
            std::printf("%s\t%s\n", running.front().second.c_str(), error.what());
        }
        running.pop_front();
    };
    for (std::size_t i = 0; i + 3 <= fields.size(); i += 3) {
        if (running.size() >= side_by_side()) {
            end_first();
        }
        running.emplace_back(begin([&]() -> std::string {
                                 check_layer(fields[i], fields[i + 1], fields[i + 2], rootless);
                                 return {};
                             }),
                             fields[i + 2]);
    }
    while (!running.empty()) {
        end_first();
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}

int export_tree(const std::vector<std::string>& layers, bool rootless) {
    const UniqueFd tree = mount_layers({.layers = layers, .user_xattrs = rootless});
    pack_tree("/proc/self/fd/" + std::to_string(tree.get()), STDOUT_FILENO, {});
    return 0;
}

/// What the first of the layers changes of those below it, a line each: A, C or D and the path.
int diff(const std::vector<std::string>& layers) {
    for (const std::string& line : changes_of(layers.front(), {layers.begin() + 1, layers.end()})) {
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fputc('\n', stdout);
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
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

/// unpack-layer DIRECTORY: what "pack" packed, from standard input.
int run_unpack_layer(const std::vector<std::string>& words, bool rootless) {
    (void)unpack_layer({.blob = "/proc/self/fd/0"}, words[1], bounds_for(words[1]), rootless);
    return 0;
}

/// add-lines PASSWD GROUP VIEW...: to the account files, where there are any.
int run_add_lines(const std::vector<std::string>& words, bool rootless) {
    add_lines({{"/etc/passwd", words[1]}, {"/etc/group", words[2]}},
              {words.begin() + 3, words.end()},
              rootless);
    return 0;
}

/// copy-from PATH AS FOLLOW VIEW...
int run_copy_from(const std::vector<std::string>& words, bool rootless) {
    copy_from(words[1], words[2], words[3] == "follow", {words.begin() + 4, words.end()}, rootless);
    return 0;
}

/// copy-to PATH NAME WHAT OWNERS VIEW...
int run_copy_to(const std::vector<std::string>& words, bool rootless) {
    copy_to({.path = words[1],
             .name = words[2],
             .contents = words[3] == "contents",
             .keep_owners = words[4] == "owners"},
            {words.begin() + 5, words.end()},
            rootless);
    return 0;
}

struct Verb {
    std::string_view name;
    std::size_t words; ///< at least, the name included
    int (*run)(const std::vector<std::string>& words, bool rootless);
};

constexpr std::array<Verb, 19> verbs{{
    {"unpack", 1, [](const auto&, bool rootless) { return unpack(rootless); }},
    {"remove", 2, [](const auto& words, bool) { return remove({words.begin() + 1, words.end()}); }},
    {"show", 3, [](const auto& words, bool) { return show({words.begin() + 1, words.end()}); }},
    {"layout",
     3,
     [](const auto& words, bool) {
         extract_layout(words[1], words[2], bounds_for(words[2]).bytes);
         return 0;
     }},
    {"pack",
     2,
     [](const auto& words, bool) {
         pack_tree(words[1], STDOUT_FILENO, {});
         return 0;
     }},
    {"unpack-layer", 2, run_unpack_layer},
    {"own-as", 3, run_own_as},
    {"add-lines", 4, run_add_lines},
    {"export",
     2,
     [](const auto& words, bool rootless) {
         return export_tree({words.begin() + 1, words.end()}, rootless);
     }},
    {"diff", 2, [](const auto& words, bool) { return diff({words.begin() + 1, words.end()}); }},
    {"assemble", 3, [](const auto& words, bool) { return assemble(words[1], words[2]); }},
    {"verify", 1, [](const auto&, bool rootless) { return verify(rootless); }},
    {"digest", 2, [](const auto& words, bool) { return digest(words[1]); }},
    {"fill",
     4,
     [](const auto& words, bool rootless) {
         fill(words[1], words[2], {words.begin() + 3, words.end()}, rootless);
         return 0;
     }},
    {"copy-from", 5, run_copy_from},
    {"copy-to", 6, run_copy_to},
    {"chown", 4, run_chown},
    {"pack-tree",
     2,
     [](const auto& words, bool) {
         pack_tree(words[1], STDOUT_FILENO, {.meaning = Meaning::tree});
         return 0;
     }},
    {"unpack-tree",
     2,
     [](const auto& words, bool rootless) {
         unpack_tree({.archive = "/proc/self/fd/0", .rootless = rootless},
                     [&](bool) -> TreeTarget { return {.directory = words[1]}; });
         return 0;
     }},
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
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
