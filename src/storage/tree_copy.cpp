// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/tree_copy.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "linux/syscalls.hpp"
#include "storage/confine.hpp"
#include "storage/copy_journal.hpp"
#include "storage/layer_work.hpp"
#include "storage/pack.hpp"
#include "storage/stop.hpp"
#include "storage/tree_parts.hpp"
#include "storage/unpack_tree.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_copy = "cannot copy";
constexpr int most_links = 40; // as the kernel's

/// A name in an open directory, and what it is, if it is there.
struct Place {
    UniqueFd parent;
    std::string name;
    std::optional<struct stat> info;

    [[nodiscard]] bool is_directory() const { return info && S_ISDIR(info->st_mode); }
};

UniqueFd open_parent(int root, const std::string& path, const std::string& shown) {
    UniqueFd found(sys::openat2(root,
                                path.empty() ? "." : path.c_str(),
                                O_PATH | O_DIRECTORY | O_CLOEXEC,
                                0,
                                RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!found.valid()) {
        throw Error(cannot_copy).at(shown).because(errno);
    }
    return found;
}

std::string read_link(const Place& place, const std::string& shown) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size =
        ::readlinkat(place.parent.get(), place.name.c_str(), target.data(), target.size());
    if (size < 0) {
        throw Error(cannot_copy).at(shown).because(errno);
    }
    return {target.data(), static_cast<std::size_t>(size)};
}

/// Finds a path below a root. A last component that is a symbolic link is followed if `follow`
/// says so, also to where nothing is.
Place find_place(int root, std::string path, const std::string& shown, bool follow) {
    for (int links = 0; links < most_links; ++links) {
        while (path.size() > 1 && path.ends_with('/')) {
            path.pop_back();
        }
        const auto slash = path.rfind('/');
        std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
        std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        if (name.empty() || name == "." || name == "..") {
            directory = path;
            name = ".";
        }
        Place place{.parent = open_parent(root, directory, shown), .name = std::move(name)};
        struct stat info{};
        if (::fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
            place.info = info;
        } else if (errno != ENOENT) {
            throw Error(cannot_copy).at(shown).because(errno);
        }
        if (!follow || !place.info || !S_ISLNK(place.info->st_mode)) {
            return place;
        }
        const std::string target = read_link(place, shown);
        path = target.starts_with('/') ? target : directory + target;
    }
    throw Error(cannot_copy).at(shown).because(ELOOP);
}

UniqueFd open_directory(const Place& place, const std::string& shown) {
    UniqueFd directory(::openat(
        place.parent.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error(cannot_copy).at(shown).because(errno);
    }
    return directory;
}

/// Where an archive goes whose target is `place`.
TreeTarget choose_target(const CopyTarget& target,
                         const Place& place,
                         const std::string& directory,
                         bool is_directory) {
    if (place.is_directory()) {
        if (target.name.empty()) {
            return {.directory = directory};
        }
        return {.directory = directory, .top = is_directory && target.contents ? "" : target.name};
    }
    if (target.name.empty() || (target.path.ends_with('/') && !(is_directory && !place.info))) {
        throw Error(cannot_copy)
            .at(target.shown)
            .because(place.info ? "it is no directory" : "there is no such directory");
    }
    if (place.info && is_directory) {
        throw Error(cannot_copy).at(target.shown).because("a directory comes, and it is none");
    }
    return {.directory = directory, .top = place.name, .shows_top = true};
}

} // namespace

void copy_from(const CopySource& source, const View& view, bool rootless) {
    const bool can_make = std::ranges::contains(view, "writable");
    const UniqueFd root = open_view_root(
        view, {.path = source.path, .shown = source.shown, .can_make = can_make}, rootless);
    const bool needs_directory = source.path.ends_with('/');
    const Place place =
        find_place(root.get(), source.path, source.shown, source.follow || needs_directory);
    if (!place.info) {
        throw Error(cannot_copy).at(source.shown).because(ENOENT);
    }
    if (needs_directory && !place.is_directory()) {
        throw Error(cannot_copy).at(source.shown).because(ENOTDIR);
    }
    const UniqueFd node(
        ::openat(place.parent.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    (void)confine({.read = {node.get()}, .capabilities = capabilities_to_read()});
    pack_node(
        place.parent.get(),
        place.name,
        STDOUT_FILENO,
        {.meaning = Meaning::tree, .as = source.name, .what = cannot_copy, .shown = source.shown});
}

void copy_to(const CopyTarget& target, const View& view, bool rootless) {
    CopyJournal journal = CopyJournal::on(STDOUT_FILENO);
    const UniqueFd root = open_view_root(
        view, {.path = target.path, .shown = target.shown, .can_make = true}, rootless);
    Place place = find_place(root.get(), target.path, target.shown, true);
    const UniqueFd directory =
        place.is_directory() ? open_directory(place, target.shown) : std::move(place.parent);
    journal.ground(place_below(name_of_root(root.get()), directory.get()));
    std::uint64_t capabilities = capabilities_to_write();
    if (!target.keep_owners) { // nor does what a container could give itself come with it
        capabilities &= ~capability_set({CAP_MKNOD, CAP_SETFCAP});
    }
    stop_with_caller();
    const auto confined = confine({.write = {directory.get()}, .capabilities = capabilities});
    unpack_tree({.archive = "/proc/self/fd/0",
                 .what = cannot_copy,
                 .shown = target.shown,
                 .keep_owners = target.keep_owners,
                 .rootless = rootless || has_user_namespace(view),
                 .needs_end_mark = target.needs_end_mark},
                journal,
                [&](bool is_directory) {
                    return choose_target(
                        target, place, path_of(confined.front()) + "/.", is_directory);
                });
}

void take_copy_back(const View& view, bool rootless) {
    const std::string journal = read_all(STDIN_FILENO);
    const UniqueFd root = open_view_root(view, {}, rootless);
    const std::string path = ground_of(journal);
    const UniqueFd ground(
        sys::openat2(root.get(),
                     path.empty() ? "." : path.c_str(),
                     O_PATH | O_DIRECTORY | O_CLOEXEC,
                     0,
                     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
    if (!ground.valid()) {
        return; // nothing was begun, or it was moved away with all that is in it
    }
    const auto confined = confine(
        {.write = {ground.get()}, .capabilities = capability_set({CAP_DAC_OVERRIDE, CAP_FOWNER})});
    if (const std::size_t left = take_back(journal, confined.front().get()); left > 0) {
        throw Error("cannot remove what was copied").because(std::to_string(left) + " names stay");
    }
}

} // namespace sctr::storage
