// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "storage/layer_tree.hpp"

namespace sctr::storage {

/// What a layer's tree must look like by the members of its archive: kinds, owners, modes, link
/// targets, sizes, the xattrs that mean something. The rules are those by which LayerTree writes.
class LayerLooks {
  public:
    /// `rootless`: as TreeOptions has it.
    explicit LayerLooks(bool rootless);

    /// The next member; `size` is that of a file's content, in bytes.
    void add(const LayerMember& member, std::uint64_t size);

    /// The first place of a tree that looks otherwise, and how; nothing where none does. Throws
    /// Error when it cannot be read.
    [[nodiscard]] std::optional<std::string> difference(const std::string& directory) const;

  private:
    struct Node {
        mode_t mode = 0;
        uid_t uid = 0;
        gid_t gid = 0;
        dev_t device = 0;
        std::uint64_t size = 0;
        std::string link;
        std::map<std::string, std::string> xattrs;
        bool is_implied = false; ///< a directory that looks as those below it
        bool is_opaque = false;
    };

    using NodePointer = std::shared_ptr<Node>; // hard links are one

    [[nodiscard]] NodePointer find(const std::string& path) const;
    /// The place that a path leads to, as the kernel finds it below the layer's root.
    [[nodiscard]] std::string resolve(const std::string& path) const;
    [[nodiscard]] std::string place_of(const std::string& path);
    void make_directories(const std::string& path);
    void remove(const std::string& path);
    void add_whiteout(const std::string& path);
    void add_directory(const std::string& path, const LayerMember& member);
    void add_hard_link(const std::string& path, const LayerMember& member);
    static void set_looks(Node& node, const LayerMember& member);

    class Comparison;

    bool rootless_;
    std::map<std::string, NodePointer> nodes_; ///< by their places; the root is ""
    std::string last_parent_;                  ///< of a member, and where that leads
    std::string last_place_;
};

} // namespace sctr::storage
