// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/copy_tree.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ranges>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/syscalls.hpp"
#include "storage/tree_parts.hpp"

namespace sctr::storage {

namespace {

constexpr std::uint64_t inside_tree = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/// Nobody guesses it, and nobody has a file of that name.
std::string random_name() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) {
        throw Error("cannot make up a name").because(errno);
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), ".sctr-cp-%016jx", static_cast<std::uintmax_t>(number));
    return text.data();
}

std::optional<struct stat> look_at(int directory, const std::string& name) {
    struct stat info{};
    return ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 ? std::optional(info)
                                                                               : std::nullopt;
}

/// False, with EEXIST, where the name is taken.
bool give_name(int directory, const std::string& from, const std::string& to) {
    if (::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL) {
        return false;
    }
    if (look_at(directory, to)) { // NFS and others know no such flag
        errno = EEXIST;
        return false;
    }
    return ::renameat(directory, from.c_str(), directory, to.c_str()) == 0;
}

} // namespace

CopyTree::CopyTree(const std::string& root, bool rootless, CopyJournal& journal)
    : root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      rootless_(rootless), journal_(journal), beside_(random_name()) {
    if (!root_.valid()) {
        fail_at("");
    }
    root_name_ = name_of_root(root_.get());
}

int CopyTree::open_directory(const std::string& path) {
    if (path.empty()) {
        current_path_.clear();
        current_place_.clear();
        return root_.get();
    }
    if (current_.valid() && current_path_ == path) {
        return current_.get();
    }
    UniqueFd opened(sys::openat2(root_.get(), path.c_str(), directory_flags, 0, inside_tree));
    if (!opened.valid() && errno == ENOENT) {
        make_directory(path, 0755);
        opened = UniqueFd(sys::openat2(root_.get(), path.c_str(), directory_flags, 0, inside_tree));
    }
    if (!opened.valid()) {
        fail_at(path);
    }
    current_place_ = place_below(root_name_, opened.get());
    current_ = std::move(opened);
    current_path_ = path;
    return current_.get();
}

void CopyTree::make_directory(const std::string& path, mode_t mode) {
    const auto [parent, name] = split_path(path);
    const int directory = open_directory(parent);
    const auto there = look_at(directory, name);
    if (there && S_ISDIR(there->st_mode)) {
        return;
    }
    if (there) {
        refuse_at(path, "a directory comes, and what is there is none");
    }
    journal_.directory({.directory = current_place_, .name = name});
    if (::mkdirat(directory, name.c_str(), mode) < 0) {
        fail_at(path);
    }
}

CopyTree::Place CopyTree::open_place(const LayerMember& member) {
    if (member.path.empty()) {
        refuse_at(member.path, "a directory is there, and what comes is none");
    }
    auto [parent, name] = split_path(member.path);
    const int directory = open_directory(parent);
    if (const auto there = look_at(directory, name); there && S_ISDIR(there->st_mode)) {
        refuse_at(member.path, "a directory is there, and what comes is none");
    }
    Place place{.directory = directory,
                .made = {.directory = current_place_, .name = std::move(name)},
                .beside = beside_ + "-" + std::to_string(waiting_)};
    journal_.beside({.directory = place.made.directory, .name = place.beside});
    return place;
}

std::string CopyTree::path_of_made(const MadeName& made) const {
    return made.directory.empty() ? made.name : made.directory + "/" + made.name;
}

/// What is complete gets its name, now or, where another file has it, in the end.
void CopyTree::settle(const Place& place, const std::string& path) {
    const auto complete = look_at(place.directory, place.beside);
    if (!complete) {
        fail_at(path);
    }
    if (!look_at(place.directory, place.made.name)) {
        journal_.file(place.made, complete->st_ino);
        if (give_name(place.directory, place.beside, place.made.name)) {
            return;
        }
        if (errno != EEXIST) {
            fail_at(path);
        }
    }
    auto& waiting = replacements_[path_of_made(place.made)];
    if (!waiting.empty()) { // the archive has it twice
        (void)::unlinkat(place.directory, waiting.c_str(), 0);
    }
    waiting = place.beside;
    ++waiting_;
}

void CopyTree::add_directory(const LayerMember& member) {
    if (!member.path.empty()) {
        make_directory(member.path, 0700);
    }
    const UniqueFd made(sys::openat2(root_.get(),
                                     member.path.empty() ? "." : member.path.c_str(),
                                     directory_flags | O_NOFOLLOW,
                                     0,
                                     inside_tree));
    struct stat info{};
    if (!made.valid() || ::fstat(made.get(), &info) < 0) {
        fail_at(member.path);
    }
    directories_[member.path] = {.member = member, .inode = info.st_ino};
}

void CopyTree::add_hard_link(const LayerMember& member) {
    if (member.link == member.path) {
        return;
    }
    const auto [parent, name] = split_path(member.link);
    const UniqueFd source(sys::openat2(
        root_.get(), parent.empty() ? "." : parent.c_str(), directory_flags, 0, inside_tree));
    std::string linked = name;
    if (source.valid()) {
        const auto waiting = replacements_.find(
            path_of_made({.directory = place_below(root_name_, source.get()), .name = linked}));
        linked = waiting != replacements_.end() ? waiting->second : linked;
    }
    const auto info = source.valid() ? look_at(source.get(), linked) : std::nullopt;
    if (!info) {
        refuse_at(member.path,
                  "a hard link to " + escape_controls(member.link) + ", which is not there");
    }
    if (S_ISDIR(info->st_mode)) {
        refuse_at(member.path, "a hard link to what is no file");
    }
    const Place place = open_place(member);
    const auto there = look_at(place.directory, place.made.name);
    if (there && there->st_ino == info->st_ino && there->st_dev == info->st_dev) {
        return; // one already, perhaps to itself by way of a symbolic link
    }
    if (::linkat(source.get(), linked.c_str(), place.directory, place.beside.c_str(), 0) < 0) {
        fail_at(member.path);
    }
    if (S_ISREG(info->st_mode)) { // the last word about it, as in podman
        give_looks_at(place.directory, place.beside, member, S_IFREG, rootless_);
    }
    settle(place, member.path);
}

void CopyTree::add_node(const LayerMember& member) {
    const Place place = open_place(member);
    const char* name = place.beside.c_str();
    const int made = S_ISLNK(member.mode)
                         ? ::symlinkat(member.link.c_str(), place.directory, name)
                         : ::mknodat(place.directory, name, member.mode, member.device);
    if (made < 0 && errno == EPERM && rootless_ && (S_ISCHR(member.mode) || S_ISBLK(member.mode))) {
        return;
    }
    if (made < 0) {
        fail_at(member.path);
    }
    give_looks_at(place.directory, place.beside, member, member.mode & S_IFMT, rootless_);
    settle(place, member.path);
}

void CopyTree::add(const LayerMember& member) {
    if (member.is_hard_link) {
        add_hard_link(member);
    } else if (S_ISDIR(member.mode)) {
        add_directory(member);
    } else {
        add_node(member);
    }
}

UniqueFd CopyTree::create_file(const LayerMember& member) {
    open_file_ = open_place(member);
    UniqueFd file(::openat(open_file_.directory,
                           open_file_.beside.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           0600));
    if (!file.valid()) {
        fail_at(member.path);
    }
    return file;
}

void CopyTree::finish_file(int file, const LayerMember& member) {
    give_looks(file, member, S_IFREG, rootless_);
    settle(open_file_, member.path);
}

void CopyTree::replace_old() {
    for (const auto& [path, beside] : replacements_) {
        const auto [parent, name] = split_path(path);
        // Their names are without links: one that is there by now is not where it was written.
        const UniqueFd directory(sys::openat2(root_.get(),
                                              parent.empty() ? "." : parent.c_str(),
                                              O_PATH | O_DIRECTORY | O_CLOEXEC,
                                              0,
                                              inside_tree | RESOLVE_NO_SYMLINKS));
        if (!directory.valid() ||
            ::renameat(directory.get(), beside.c_str(), directory.get(), name.c_str()) < 0) {
            fail_at(path);
        }
    }
}

void CopyTree::give_directory_looks(const std::string& path, const NewLooks& looks) const {
    const UniqueFd directory(sys::openat2(root_.get(),
                                          path.empty() ? "." : path.c_str(),
                                          directory_flags | O_NOFOLLOW,
                                          0,
                                          inside_tree));
    struct stat info{};
    if (!directory.valid() || ::fstat(directory.get(), &info) < 0) {
        fail_at(path);
    }
    if (info.st_ino != looks.inode) {
        refuse_at(path, "something else has taken its place");
    }
    give_looks(directory.get(), looks.member, S_IFDIR, rootless_);
}

void CopyTree::finish() {
    // First what may be refused, such as an owner: an old file that was replaced is gone. In a
    // directory that the caller owns names can be changed until it has its own mode.
    for (auto& [path, looks] : directories_) {
        const mode_t mode = std::exchange(looks.member.mode, looks.member.mode | S_IRWXU);
        give_directory_looks(path, looks);
        looks.member.mode = mode;
    }
    replace_old();
    for (const auto& [path, looks] : directories_ | std::views::reverse) { // what is in it first
        give_directory_looks(path, looks);
    }
    current_.reset();
    current_path_.clear();
}

} // namespace sctr::storage
