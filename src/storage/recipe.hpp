// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.hpp"
#include "storage/layer_stream.hpp"

/// A recipe says how an unpacked layer becomes its archive again, byte for byte: what is content of
/// a file is taken from the file, all else (headers, padding, members that were left out) is in the
/// recipe. docs/storage.md has the format.
namespace sctr::storage {

/// A checksum that tells which file has changed; the digest tells that one has.
class ContentSum {
  public:
    void update(std::string_view bytes);
    [[nodiscard]] std::uint64_t value() const;

  private:
    static constexpr std::size_t block_size = 32;

    void mix(const char* block);

    std::array<std::uint64_t, 4> lanes_{}; // side by side in the CPU
    std::array<char, block_size> rest_{};
    std::uint64_t size_ = 0;
};

/// Writes the recipe of a layer while that is unpacked. What it cannot prove it gives up: there is
/// no recipe then, and the blob is kept.
class RecipeWriter {
  public:
    /// At most so many bytes that are content of no file. Throws Error when the recipe's file
    /// cannot be made.
    RecipeWriter(const std::string& path, const std::string& layer, std::uint64_t most_bytes);

    /// Bytes of the archive, in their order, which stay valid until the next call; one without any
    /// says that they go.
    void saw(std::string_view bytes);

    /// What is before `position` of the archive, and no content, is content of no file.
    void settle(std::uint64_t position);

    /// A file is about to get content: the one that was opened at `path` of the layer.
    void begin_file(const std::string& path, int file);

    /// The file has got `bytes`, which are at `position` of the archive, at its `offset`.
    void content(std::uint64_t position, std::uint64_t offset, std::string_view bytes);

    /// When the layer is complete. True when the recipe gives the archive: the file of each name is
    /// still the one that got the content, and nothing else has written to it. Throws Error when
    /// the recipe cannot be written.
    bool finish();

  private:
    struct File {
        std::string path;
        ino_t inode = 0;
    };

    struct Part {
        std::size_t file = 0;
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
        ContentSum sum;
    };

    struct FreeWriter {
        void operator()(struct archive* archive) const;
    };

    void keep(std::uint64_t until);
    void end_part();
    void write(std::string_view bytes);
    void give_up();

    [[nodiscard]] std::uint64_t seen() const {
        return start_ + pending_.size() - taken_ + last_.size();
    }

    [[nodiscard]] bool has_seen(std::uint64_t position, std::string_view bytes) const;
    /// The first bytes that are neither kept nor content yet, as far as they lie together.
    [[nodiscard]] std::string_view front() const;

    void drop(std::uint64_t size);

    UniqueFd root_;
    std::uint64_t most_bytes_;
    UniqueFd file_;
    std::unique_ptr<struct archive, FreeWriter> output_;
    bool is_sound_ = true;
    std::string pending_;     ///< of the archive: what is neither kept nor content yet
    std::size_t taken_ = 0;   ///< of pending_
    std::string_view last_;   ///< follows pending_
    std::uint64_t start_ = 0; ///< of pending_ without what is taken, in the archive
    std::uint64_t kept_ = 0;
    std::vector<File> files_;
    std::unordered_map<ino_t, std::size_t> inodes_;
    std::uint64_t end_of_content_ = 0; ///< of the last file
    Part part_;
    std::size_t named_ = 0; ///< files whose name is written
};

/// Reads a layer's archive that is made again from its recipe and files.
class RecipeReader {
  public:
    /// The files are those of `tree`. Throws Error when there is no such recipe.
    RecipeReader(const std::string& path, const std::string& tree);

    /// More bytes, valid until the next call; none at the end. Throws Error that names the file
    /// which is not what it was.
    std::string_view next();

  private:
    std::string_view take(std::size_t size);
    std::uint64_t number(std::size_t size);
    void open_part();
    std::string_view next_of_part();
    [[noreturn]] void fail(const std::string& why) const;

    std::string path_;
    LayerStream stream_;
    std::string tree_;
    UniqueFd root_;
    std::string buffer_; ///< of the recipe
    std::size_t used_ = 0;
    bool is_done_ = false;
    std::string name_; ///< of the file that is read
    UniqueFd file_;
    std::uint64_t offset_ = 0;
    std::uint64_t left_ = 0;
    std::uint64_t wanted_sum_ = 0;
    ContentSum sum_;
    std::vector<char> block_;
};

} // namespace sctr::storage
