// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"
#include "base/unique_fd.hpp"

struct archive;

namespace sctr::storage {

struct CloseArchive {
    void operator()(struct archive* archive) const;
};

using Archive = std::unique_ptr<struct archive, CloseArchive>;

/// What libarchive says is wrong; never empty.
std::string reason_of(struct archive* archive);

class RecipeReader;

/// The decompressed bytes of a blob, hashed on their way, as the blob's own are.
class LayerStream {
  public:
    /// Throws Error when the blob cannot be read.
    explicit LayerStream(const std::string& path);

    /// Of a blob of the store, which may be a link to the recipe that stands for it: the archive is
    /// made again from that, then, and has no digest of a blob.
    static std::unique_ptr<LayerStream> of_blob(const std::string& path);

    /// Of a recipe, and the files of the layer that it lies beside.
    static std::unique_ptr<LayerStream> of_recipe(const std::string& path);

    /// Of a recipe, and the files of a copy of that layer.
    static std::unique_ptr<LayerStream> of_recipe(const std::string& path, const std::string& tree);

    ~LayerStream();
    LayerStream(const LayerStream&) = delete;
    LayerStream& operator=(const LayerStream&) = delete;
    LayerStream(LayerStream&&) = delete;
    LayerStream& operator=(LayerStream&&) = delete;

    [[nodiscard]] bool is_made_again() const { return recipe_ != nullptr; }

    /// Is told of all that is read, and by an empty text that what it was told of goes.
    void watch(std::function<void(std::string_view)> watcher) { watcher_ = std::move(watcher); }

    /// More bytes, valid until the next call; 0 at the end, -1 when the blob is damaged.
    ssize_t read(const void** bytes);

    /// Reads what is left of the stream and of the blob, which belong to the digests too. Throws
    /// Error when the blob is damaged.
    void drain();

    /// How many bytes have been read.
    [[nodiscard]] std::uint64_t size() const { return size_; }

    /// After drain().
    std::string digest() { return blob_hash_.finish(); }

    std::string diff_digest() { return stream_hash_.finish(); }

    /// Why read() gave -1.
    [[nodiscard]] std::string failure() const;

  private:
    LayerStream(const std::string& path, UniqueFd blob);
    LayerStream(const std::string& path, std::unique_ptr<RecipeReader> recipe);

    ssize_t decompress(const void** bytes);
    ssize_t make_again(const void** bytes);
    static ssize_t read_blob(struct archive* archive, void* self, const void** bytes);
    ssize_t next_of_blob();

    std::string path_;
    std::unique_ptr<RecipeReader> recipe_;
    std::string failure_; ///< of making it again
    std::function<void(std::string_view)> watcher_;
    UniqueFd blob_;
    std::vector<char> buffer_;
    Sha256 blob_hash_;
    Sha256 stream_hash_;
    Archive decompressor_;
    std::vector<char> block_;
    bool is_empty_ = false;
    std::uint64_t size_ = 0;
};

} // namespace sctr::storage
