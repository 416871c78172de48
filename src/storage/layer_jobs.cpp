// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_jobs.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/confine.hpp"
#include "storage/layer_tree.hpp"
#include "storage/layer_work.hpp"
#include "storage/layered_file.hpp"
#include "storage/unpack.hpp"

namespace sctr::storage {

namespace {

constexpr const char* input_path = "/proc/self/fd/0";

struct Job {
    LayerSource source;
    std::string directory;
};

std::vector<std::string> read_fields() {
    auto fields = split(read_all(STDIN_FILENO), '\0');
    fields.pop_back(); // after the last NUL
    return fields;
}

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

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

std::string last_part_of(const std::string& path) {
    return path.substr(path.rfind('/'));
}

/// A recipe is read with the files of its layer, which lies beside it.
UniqueFd open_source(const std::string& path) {
    if (path == input_path) {
        return {}; // it is open
    }
    std::error_code ignored;
    const std::string real = std::filesystem::canonical(path, ignored);
    return open_place(real.ends_with(".recipe") ? directory_of(real) : path);
}

struct LayerArchive {
    UniqueFd fd;      ///< what Landlock is to allow
    std::string path; ///< to read it by
};

/// An archive is open from here on: whoever has unpacked the same one may put a recipe, which lies
/// elsewhere, in its place at any moment.
LayerArchive open_archive(const std::string& path) {
    UniqueFd file(path == input_path
                      ? -1
                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW));
    if (!file.valid()) {
        return {.fd = open_source(path), .path = path};
    }
    std::string open_path = path_of(file);
    return {.fd = std::move(file), .path = std::move(open_path)};
}

/// Does `act` with what is to be read in the place of `blob`, whose name people know.
template <typename Act>
auto reading(const LayerArchive& archive, std::string& blob, const Act& act) {
    const std::string name = std::exchange(blob, archive.path);
    try {
        return act();
    } catch (Error& error) {
        if (error.where() == archive.path) {
            error.at(name);
        }
        throw;
    }
}

/// What a child has found, for its parent to do: 'i' or 'o' and a path, ended by NUL, for each
/// directory that is implied or opaque.
std::string found_in(const UnpackedLayer& layer) {
    std::string text;
    for (const std::string& path : layer.implied) {
        text += 'i' + path + '\0';
    }
    for (const std::string& path : layer.opaque) {
        text += 'o' + path + '\0';
    }
    return text;
}

void write_size(const std::string& path, std::uint64_t size) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const std::string text = std::to_string(size);
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the layer's size").at(path).because(errno);
    }
}

/// Confined to the layer. `directory` is one below it, for the layer alone, with what else is made.
std::string unpack_confined(LayerSource source, const std::string& directory, bool rootless) {
    prepare_confinement();

    // A layer may take what is free but for a tenth, which is the host's.
    struct statvfs space{};
    LayerBounds bounds;
    if (::statvfs(directory.c_str(), &space) == 0) {
        const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
        bounds.bytes = available - available / 10;
    }
    const LayerArchive archive = open_archive(source.blob);
    const UniqueFd parent = open_place(directory_of(directory));
    const auto place = confine({.read = {archive.fd.get()},
                                .write = {parent.get()},
                                .capabilities = capabilities_to_write()});
    const std::string writable = path_of(place.front());
    if (!source.recipe.empty()) {
        source.recipe = writable + last_part_of(source.recipe);
    }
    return reading(archive, source.blob, [&] {
        const UnpackedLayer layer =
            unpack_layer(source, writable + last_part_of(directory), bounds, rootless);
        if (!source.recipe.empty()) { // else it is a copy
            write_size(writable + "/size", layer.archive);
        }
        return found_in(layer);
    });
}

std::string work_on(const Job& job, bool rootless) {
    if (!job.source.recipe.empty()) {
        return unpack_confined(job.source, job.directory, rootless);
    }
    LayerSource source = job.source;
    const LayerArchive archive = open_archive(source.blob);
    (void)confine({.read = {archive.fd.get()}, .capabilities = capabilities_to_read()});
    reading(archive, source.blob, [&] { verify_layer(source); });
    return {};
}

/// Marks what is opaque, which takes CAP_SYS_ADMIN, and returns the implied directories.
std::set<std::string> mark_found(const std::string& directory, const std::string& text) {
    std::set<std::string> implied;
    std::set<std::string> opaque;
    for (const std::string& found : split(text, '\0')) {
        if (!found.empty()) {
            (found.front() == 'i' ? implied : opaque).insert(found.substr(1));
        }
    }
    mark_opaque(directory, opaque);
    return implied;
}

} // namespace

void confine_to_reading(const std::string& source) {
    const UniqueFd archive = open_source(source);
    (void)confine({.read = {archive.get()}, .capabilities = capabilities_to_read()});
}

void unpack_layers(bool rootless) {
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
            const auto implied =
                mark_found(jobs[i].directory, end(work->second, jobs[i].source.blob));
            adopt_implied(jobs[i].directory, implied, lower, rootless);
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
}

void unpack_from_input(const std::string& directory, bool rootless) {
    Work work = begin([&] { return unpack_confined({.blob = input_path}, directory, rootless); });
    (void)mark_found(directory, end(work, directory));
}

void verify_layers(bool rootless) {
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
                                 const UniqueFd archive = open_source(fields[i]);
                                 const UniqueFd tree = open_place(fields[i + 2]);
                                 (void)confine({.read = {archive.get(), tree.get()},
                                                .capabilities = capabilities_to_read()});
                                 check_layer(fields[i], fields[i + 1], fields[i + 2], rootless);
                                 return {};
                             }),
                             fields[i + 2]);
    }
    while (!running.empty()) {
        end_first();
    }
}

} // namespace sctr::storage
