// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_looks.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/files.hpp"
#include "storage/meaning.hpp"

namespace sctr::storage {

namespace {

constexpr const char* capability = "security.capability";
constexpr mode_t permissions = 07777;

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

std::string below(const std::string& parent, const std::string& name) {
    return parent.empty() ? name : parent + "/" + name;
}

/// Those that every file system of a store keeps, and that the kernel lets everybody set there.
bool is_compared(const std::string& name, mode_t mode) {
    return S_ISREG(mode) && (name == capability ||
                             (name.starts_with("user.") && !name.starts_with("user.overlay.")));
}

std::string octal(mode_t mode) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode & permissions);
    return text.data();
}

} // namespace

LayerLooks::LayerLooks(bool rootless) : rootless_(rootless) {
    nodes_[""] = std::make_shared<Node>(Node{.mode = S_IFDIR, .is_implied = true});
}

LayerLooks::NodePointer LayerLooks::find(const std::string& path) const {
    const auto found = nodes_.find(path);
    return found == nodes_.end() ? nullptr : found->second;
}

std::string LayerLooks::resolve(const std::string& path) const {
    constexpr int most_links = 40; // as the kernel's
    const auto parts = split(path, '/');
    std::deque<std::string> rest(parts.begin(), parts.end());
    std::string place;
    for (int links = 0; !rest.empty() && links <= most_links;) {
        const std::string part = std::move(rest.front());
        rest.pop_front();
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            place = parent_of(place);
            continue;
        }
        const std::string next = below(place, part);
        const NodePointer node = find(next);
        if (!node || !S_ISLNK(node->mode)) {
            place = next;
            continue;
        }
        ++links;
        if (node->link.starts_with('/')) {
            place.clear();
        }
        const auto target = split(node->link, '/');
        rest.insert(rest.begin(), target.begin(), target.end());
    }
    return place;
}

/// Its directories are there afterwards.
std::string LayerLooks::place_of(const std::string& path) {
    if (path.empty()) {
        return path;
    }
    const std::string parent = parent_of(path);
    if (parent != last_parent_ || !find(last_place_)) {
        last_place_ = resolve(parent);
        last_parent_ = parent;
        make_directories(last_place_);
    }
    return below(last_place_, name_of(path));
}

void LayerLooks::make_directories(const std::string& path) {
    if (path.empty()) {
        return;
    }
    make_directories(parent_of(path));
    NodePointer& node = nodes_[path];
    if (!node || !S_ISDIR(node->mode)) {
        const bool was_whiteout = node && S_ISCHR(node->mode) && node->device == 0;
        node = std::make_shared<Node>(
            Node{.mode = S_IFDIR, .is_implied = true, .is_opaque = was_whiteout});
    }
}

void LayerLooks::remove(const std::string& path) {
    nodes_.erase(path);
    const std::string prefix = path + "/";
    auto first = nodes_.lower_bound(prefix);
    auto last = first;
    while (last != nodes_.end() && last->first.starts_with(prefix)) {
        ++last;
    }
    nodes_.erase(first, last);
    last_parent_.clear();
    last_place_.clear();
}

void LayerLooks::set_looks(Node& node, const LayerMember& member) {
    node.uid = member.uid;
    node.gid = member.gid;
    node.is_implied = false;
    if (!S_ISLNK(node.mode)) {
        node.mode = (node.mode & S_IFMT) | (member.mode & permissions);
    }
    node.xattrs.erase(capability); // as chown(2) does
    for (const auto& [name, value] : member.xattrs) {
        if (is_compared(name, node.mode)) {
            node.xattrs[name] = value;
        }
    }
}

void LayerLooks::add_whiteout(const std::string& path) {
    const std::string name = name_of(path);
    if (name == ".wh..wh..opq") {
        nodes_[parent_of(path)]->is_opaque = true;
        return;
    }
    if (name.starts_with(".wh..wh.")) {
        return;
    }
    NodePointer& node = nodes_[below(parent_of(path), name.substr(whiteout_prefix.size()))];
    if (!node) {
        node = std::make_shared<Node>(Node{.mode = S_IFCHR, .is_implied = true});
    } else if (S_ISDIR(node->mode)) {
        node->is_opaque = true;
    }
}

void LayerLooks::add_directory(const std::string& path, const LayerMember& member) {
    NodePointer& node = nodes_[path];
    if (!node || !S_ISDIR(node->mode)) {
        const bool was_whiteout = node && S_ISCHR(node->mode) && node->device == 0;
        node = std::make_shared<Node>(Node{.mode = S_IFDIR, .is_opaque = was_whiteout});
    }
    set_looks(*node, member);
}

void LayerLooks::add_hard_link(const std::string& path, const LayerMember& member) {
    const std::string source = below(resolve(parent_of(member.link)), name_of(member.link));
    const NodePointer node = find(source);
    if (!node || source == path || find(path) == node) {
        return;
    }
    remove(path);
    nodes_[path] = node;
    if (S_ISREG(node->mode)) {
        set_looks(*node, member);
    }
}

void LayerLooks::add(const LayerMember& member, std::uint64_t size) {
    const std::string path = place_of(member.path);
    if (name_of(member.path).starts_with(whiteout_prefix)) {
        add_whiteout(path);
    } else if (member.is_hard_link) {
        add_hard_link(path, member);
    } else if (S_ISDIR(member.mode)) {
        add_directory(path, member);
    } else {
        remove(path);
        const bool is_device = S_ISCHR(member.mode) || S_ISBLK(member.mode);
        if (is_device && rootless_ && !(S_ISCHR(member.mode) && member.device == 0)) {
            return; // which the kernel refuses a plain user
        }
        const auto node = std::make_shared<Node>(Node{.mode = member.mode,
                                                      .device = is_device ? member.device : 0,
                                                      .size = S_ISREG(member.mode) ? size : 0,
                                                      .link = member.link});
        set_looks(*node, member);
        nodes_[path] = node;
    }
}

/// Walks a tree beside the nodes.
class LayerLooks::Comparison {
  public:
    explicit Comparison(const LayerLooks& looks) : looks_(looks) {}

    std::optional<std::string> run(const std::string& directory) {
        const UniqueFd root(
            ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!root.valid()) {
            throw Error("cannot read the layer").at(directory).because(errno);
        }
        compare(root.get(), ".", "");
        walk(root.get(), "");
        if (!difference_ && seen_ < looks_.nodes_.size()) {
            find_missing(root.get());
        }
        return difference_;
    }

  private:
    void differ(const std::string& path, const std::string& how) {
        if (!difference_) {
            difference_ = "/" + escape_controls(path) + ": " + how;
        }
    }

    void find_missing(int root) {
        for (const auto& [path, node] : looks_.nodes_) {
            struct stat info{};
            if (!path.empty() && ::fstatat(root, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
                differ(path, "it is missing");
            }
        }
    }

    void walk(int directory, const std::string& path) {
        const auto names = names_in(directory);
        if (!names) {
            throw Error("cannot read the layer").at("/" + path).because(errno);
        }
        for (const std::string& name : *names) {
            if (difference_) {
                return;
            }
            const std::string place = below(path, name);
            if (compare(directory, name, place)) {
                const UniqueFd next(::openat(
                    directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
                if (!next.valid()) {
                    throw Error("cannot read the layer").at("/" + place).because(errno);
                }
                walk(next.get(), place);
            }
        }
    }

    /// Whether it is a directory as it should be.
    bool compare(int directory, const std::string& name, const std::string& path) {
        const NodePointer node = looks_.find(path);
        struct stat info{};
        if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
            throw Error("cannot read the layer").at("/" + path).because(errno);
        }
        ++seen_;
        if (!node) {
            differ(path, "the layer has no such file");
            return false;
        }
        compare_looks(*node, info, path);
        if (S_ISLNK(info.st_mode) && !difference_) {
            compare_link(*node, directory, name, path);
        }
        if (S_ISREG(info.st_mode) && !difference_) {
            compare_xattrs(*node, directory, name, path);
        }
        return S_ISDIR(info.st_mode) && !difference_;
    }

    void compare_looks(const Node& node, const struct stat& info, const std::string& path) {
        if ((info.st_mode & S_IFMT) != (node.mode & S_IFMT) ||
            ((S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) && info.st_rdev != node.device)) {
            differ(path, "it is of another kind");
        } else if (node.is_implied) {
            return;
        } else if (info.st_uid != node.uid || info.st_gid != node.gid) {
            differ(path,
                   "its owner is " + std::to_string(info.st_uid) + ":" +
                       std::to_string(info.st_gid) + " and not " + std::to_string(node.uid) + ":" +
                       std::to_string(node.gid));
        } else if (!S_ISLNK(info.st_mode) &&
                   (info.st_mode & permissions) != (node.mode & permissions)) {
            differ(path, "its mode is " + octal(info.st_mode) + " and not " + octal(node.mode));
        } else if (S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) != node.size) {
            differ(path, "its size is another");
        }
    }

    void compare_link(const Node& node,
                      int directory,
                      const std::string& name,
                      const std::string& path) {
        std::array<char, PATH_MAX> target{};
        const ssize_t size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
        if (size < 0 ||
            std::string_view(target.data(), static_cast<std::size_t>(size)) != node.link) {
            differ(path, "it leads elsewhere");
        }
    }

    void compare_xattrs(const Node& node,
                        int directory,
                        const std::string& name,
                        const std::string& path) {
        const UniqueFd file(
            ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!file.valid()) {
            throw Error("cannot read the layer").at("/" + path).because(errno);
        }
        constexpr std::size_t plain_capability = 20; // struct vfs_cap_data of revision 2
        std::array<char, 65536> value{};
        for (const auto& [xattr, wanted] : node.xattrs) {
            const ssize_t size = ::fgetxattr(file.get(), xattr.c_str(), value.data(), value.size());
            if (size < 0 && errno == ENOTSUP) {
                continue;
            }
            // The kernel translates capabilities that are of a user namespace.
            const bool is_translated = xattr == capability && wanted.size() != plain_capability;
            if (size < 0 ||
                (!is_translated &&
                 std::string_view(value.data(), static_cast<std::size_t>(size)) != wanted)) {
                differ(path, "its xattr " + escape_controls(xattr) + " is another, or missing");
            }
        }
        if (!node.xattrs.contains(capability) &&
            ::fgetxattr(file.get(), capability, value.data(), value.size()) >= 0) {
            differ(path, "it has capabilities");
        }
    }

    const LayerLooks& looks_;
    std::optional<std::string> difference_;
    std::size_t seen_ = 0;
};

std::optional<std::string> LayerLooks::difference(const std::string& directory) const {
    return Comparison(*this).run(directory);
}

} // namespace sctr::storage
