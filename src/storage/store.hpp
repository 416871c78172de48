// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "oci/image.hpp"

/// Images, their layers and the roots of containers on disk: docs/storage.md says what is where,
/// which invariants hold, and in which order locks are taken.
namespace sctr::storage {

/// An image that cannot be removed as long as this lives.
struct ImageUse {
    oci::StoredImage image;
    std::string name; ///< under which it was found; empty: by its id
    UniqueFd lock;
};

enum class Sharing { shared, exclusive };

class Store {
  public:
    explicit Store(std::string root) : root_(std::move(root)) {}

    /// That of this caller.
    static Store own();

    [[nodiscard]] const std::string& root() const { return root_; }

    [[nodiscard]] std::string blobs() const { return root_ + "/blobs"; }

    [[nodiscard]] std::string blob(const std::string& hex) const {
        return blobs() + "/sha256/" + hex;
    }

    [[nodiscard]] std::string layer(const std::string& chain_id) const {
        return root_ + "/layers/" + chain_id;
    }

    /// What overlayfs takes as a lower directory.
    [[nodiscard]] std::string layer_tree(const std::string& chain_id) const {
        return layer(chain_id) + "/diff";
    }

    /// By which an unpacked layer becomes the archive of that digest again. Not there for layers
    /// whose blobs are kept.
    [[nodiscard]] std::string recipe(const std::string& chain_id, const std::string& diff) const {
        return layer(chain_id) + "/" + diff + ".recipe";
    }

    [[nodiscard]] std::string image(const std::string& digest) const {
        return root_ + "/images/" + digest;
    }

    /// The manifest of an image that is here. Not a blob: skopeo rewrites those of manifests in
    /// place.
    [[nodiscard]] std::string manifest(const std::string& digest) const {
        return image(digest) + "/manifest.json";
    }

    [[nodiscard]] std::string name_link(const std::string& full_name) const;

    [[nodiscard]] std::string temporary(const std::string& name) const {
        return root_ + "/tmp/" + name;
    }

    /// Makes the directories that are missing. Throws Error.
    void prepare() const;

    /// The image that people mean by a name, a part of one, or the beginning of its id or digest;
    /// nothing when it is not here. Throws Error for what is neither, and for a beginning that
    /// several have.
    [[nodiscard]] std::optional<ImageUse> find(const std::string& text) const;

    /// By the digest of its manifest.
    [[nodiscard]] std::optional<ImageUse> find_by_digest(const std::string& digest) const;

    /// Every name with the digest that it leads to, sorted.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> names() const;

    /// Every image. One that cannot be read is left out.
    [[nodiscard]] std::vector<oci::StoredImage> images() const;

    /// The lock of the whole store; with `wait` false nothing when somebody else has it.
    [[nodiscard]] UniqueFd lock(Sharing sharing, bool wait = true) const;

    /// The same, exclusive. Throws Error that names who has it when the time is over.
    [[nodiscard]] UniqueFd lock_within(std::chrono::milliseconds deadline) const;

    /// The lock of one thing that is being made; its file goes with unlock().
    class MakeLock {
      public:
        MakeLock(const Store& store, const std::string& name);
        ~MakeLock();
        MakeLock(MakeLock&& other) noexcept = default;
        MakeLock& operator=(MakeLock&&) = delete;
        MakeLock(const MakeLock&) = delete;
        MakeLock& operator=(const MakeLock&) = delete;

      private:
        std::string path_;
        UniqueFd file_;
    };

    /// Makes a name lead to an image, whatever it led to. The name is on disk afterwards.
    void set_name(const std::string& full_name, const std::string& digest) const;
    /// False when there is no such name.
    bool remove_name(const std::string& full_name) const;

    /// A new directory for what is being made; swept when its maker was killed.
    [[nodiscard]] std::string make_work_directory() const;

  private:
    [[nodiscard]] std::optional<ImageUse> open_image(const std::string& directory) const;
    [[nodiscard]] std::optional<ImageUse> find_by_prefix(const std::string& prefix) const;

    std::string root_;
};

/// The name of a file for a name of an image, and back.
std::string encode_name(const std::string& name);
std::string decode_name(const std::string& file);

} // namespace sctr::storage
