// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/view_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/error.hpp"
#include "linux/syscalls.hpp"
#include "storage/confine.hpp"
#include "storage/layer_mount.hpp"
#include "storage/layer_work.hpp"
#include "storage/pack.hpp"
#include "storage/unpack_tree.hpp"

namespace sctr::storage {

namespace {

/// A file of an account database, made where there is none; an invalid fd for what is no file,
/// which is not opened: some devices act on that.
UniqueFd open_accounts(int root, const std::string& path) {
    constexpr int flags = O_RDWR | O_APPEND | O_CLOEXEC;
    constexpr std::uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd found(sys::openat2(root, path.c_str(), O_PATH | O_CLOEXEC, 0, inside));
    if (!found.valid() && errno == ENOENT) {
        return UniqueFd(sys::openat2(root, path.c_str(), flags | O_CREAT | O_EXCL, 0644, inside));
    }
    struct stat info{};
    const bool is_file = found.valid() && ::fstat(found.get(), &info) == 0 && S_ISREG(info.st_mode);
    return UniqueFd(is_file ? ::open(path_of(found).c_str(), flags) : -1);
}

} // namespace

void add_lines(const std::vector<std::pair<std::string, std::string>>& lines,
               const View& view,
               bool rootless) {
    const UniqueFd root = open_view_root(view, {}, rootless);
    for (const auto& [path, line] : lines) {
        if (line.empty()) {
            continue;
        }
        const UniqueFd file = open_accounts(root.get(), path);
        struct stat info{};
        if (!file.valid() || ::fstat(file.get(), &info) < 0) {
            continue; // no directory for it, or what the image has there is no file
        }
        char last = '\n';
        const bool is_whole =
            info.st_size == 0 ||
            (::pread(file.get(), &last, 1, info.st_size - 1) == 1 && last == '\n');
        const std::string text = (is_whole ? "" : "\n") + line + "\n";
        if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            throw Error("cannot add the account").at(path).because(errno);
        }
    }
}

namespace {

constexpr const char* cannot_fill = "cannot fill the volume";

std::optional<Error> failure_of(Work& work, const std::string& place) {
    try {
        (void)end(work, place);
        return std::nullopt;
    } catch (const Error& error) {
        return error;
    }
}

} // namespace

void fill(const std::string& directory,
          const std::string& path,
          const std::vector<std::string>& layers,
          bool rootless) {
    const UniqueFd root = mount_layers({.layers = layers, .user_xattrs = rootless});
    const UniqueFd source(sys::openat2(root.get(),
                                       path.c_str(),
                                       O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                       0,
                                       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!source.valid()) {
        return; // nothing is there, or no directory
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        throw Error(cannot_fill).because(errno);
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    Work packer = begin([&]() -> std::string {
        reader.reset();
        (void)confine({.read = {source.get()}, .capabilities = capabilities_to_read()});
        pack_node(source.get(),
                  ".",
                  writer.get(),
                  {.meaning = Meaning::tree, .what = cannot_fill, .shown = path});
        return {};
    });
    writer.reset();
    Work unpacker = begin([&]() -> std::string {
        CopyJournal journal;
        prepare_confinement();
        const UniqueFd volume = open_place(directory);
        const auto place =
            confine({.write = {volume.get()}, .capabilities = capabilities_to_write()});
        unpack_tree(
            {.archive = path_of(reader),
             .what = cannot_fill,
             .shown = directory,
             .rootless = rootless,
             .needs_end_mark = true},
            journal,
            [&](bool) -> TreeTarget { return {.directory = path_of(place.front()) + "/."}; });
        return {};
    });
    reader.reset();
    const auto unpacked = failure_of(unpacker, directory);
    const auto packed = failure_of(packer, path);
    // Each sees the other's end: as a pipe without a reader, or an archive that ends too early.
    if (const auto& first = packed && packed->error_number() != EPIPE ? packed : unpacked) {
        throw Error(*first);
    }
}

} // namespace sctr::storage
