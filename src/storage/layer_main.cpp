// SPDX-License-Identifier: LGPL-2.1-or-later

/// sctr-layer: does to the files of layers what takes the ids of their owners, and reads what
/// strangers have packed. A program of its own, so that nothing else loads libarchive.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/process.hpp"
#include "storage/layer_mount.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/layered_file.hpp"
#include "storage/members.hpp"
#include "storage/pack.hpp"
#include "storage/tree_copy.hpp"
#include "storage/tree_diff.hpp"
#include "storage/unpack.hpp"

namespace sctr::storage {
namespace {

/// One layer of an image, from the lowest up; without a blob it is unpacked already.
struct Job {
    LayerSource source;
    std::string directory;
};

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    ssize_t size = 0;
    while ((size = ::read(fd, buffer, sizeof buffer)) != 0) {
        if (size > 0) {
            text.append(buffer, static_cast<std::size_t>(size));
        } else if (errno != EINTR) {
            throw Error("cannot read what is to be done").because(errno);
        }
    }
    return text;
}

/// Four texts a layer, each ended by NUL: blob, its digest, that of its content, directory.
std::vector<Job> read_jobs() {
    auto fields = split(read_all(STDIN_FILENO), '\0');
    fields.pop_back(); // after the last NUL
    std::vector<Job> jobs;
    for (std::size_t i = 0; i + 4 <= fields.size(); i += 4) {
        jobs.push_back(
            {.source = {.blob = fields[i], .digest = fields[i + 1], .diff_digest = fields[i + 2]},
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

/// A layer being unpacked by a child, which leaves the implied directories in a file in memory.
struct Work {
    sys::Child child;
    UniqueFd result;
};

Work begin(const Job& job, bool rootless) {
    UniqueFd result(::memfd_create("sctr-layer", MFD_CLOEXEC));
    if (!result.valid()) {
        throw Error("cannot make a file in memory").because(errno);
    }
    sys::Child child = sys::fork_child(0, [&] {
        std::string text;
        try {
            const auto layer =
                unpack_layer(job.source, job.directory, bounds_for(job.directory), rootless);
            for (const std::string& path : layer.implied) {
                text += path + '\0';
            }
        } catch (const Error& error) {
            (void)!::write(result.get(), error.what(), std::string_view(error.what()).size());
            ::_exit(1);
        }
        if (::write(result.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            ::_exit(2);
        }
    });
    return {.child = std::move(child), .result = std::move(result)};
}

std::set<std::string> end(Work& work, const Job& job) {
    const int status = work.child.wait();
    ::lseek(work.result.get(), 0, SEEK_SET);
    const std::string text = read_all(work.result.get());
    if (status == 1 && !text.empty()) {
        throw Error(text);
    }
    if (status != 0) {
        throw Error("cannot unpack the layer")
            .at(job.source.blob)
            .because("its reader ended with status " + std::to_string(status));
    }
    auto paths = split(text, '\0');
    paths.pop_back();
    return {paths.begin(), paths.end()};
}

int unpack(bool rootless) {
    const std::vector<Job> jobs = read_jobs();
    const auto side_by_side =
        static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    std::map<std::size_t, Work> running;
    std::vector<std::string> lower; // the uppermost first
    std::size_t next = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        for (; next < jobs.size() && running.size() < side_by_side; ++next) {
            if (!jobs[next].source.blob.empty()) {
                running.emplace(next, begin(jobs[next], rootless));
            }
        }
        if (const auto work = running.find(i); work != running.end()) {
            adopt_implied(jobs[i].directory, end(work->second, jobs[i]), lower, rootless);
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

constexpr std::array<Verb, 14> verbs{{
    {"unpack", 1, [](const auto&, bool rootless) { return unpack(rootless); }},
    {"remove", 2, [](const auto& words, bool) { return remove({words.begin() + 1, words.end()}); }},
    {"show", 3, [](const auto& words, bool) { return show({words.begin() + 1, words.end()}); }},
    {"layout",
     3,
     [](const auto& words, bool) {
         extract_layout(words[1], words[2]);
         return 0;
     }},
    {"pack",
     2,
     [](const auto& words, bool) {
         pack_tree(words[1], STDOUT_FILENO, {.compression = Compression::gzip});
         return 0;
     }},
    {"export",
     3,
     [](const auto& words, bool rootless) {
         return export_tree({words.begin() + 1, words.end()}, rootless);
     }},
    {"diff", 2, [](const auto& words, bool) { return diff({words.begin() + 1, words.end()}); }},
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
