// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
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

/// The decompressed bytes of a blob, hashed on their way, as the blob's own are.
class LayerStream {
  public:
    /// Throws Error when the blob cannot be read.
    explicit LayerStream(const std::string& path);

    /// More bytes, valid until the next call; 0 at the end, -1 when the blob is damaged.
    ssize_t read(const void** bytes);

    /// Reads what is left of the stream and of the blob, which belong to the digests too. Throws
    /// Error when the blob is damaged.
    void drain();

    /// After drain().
    std::string digest() { return blob_hash_.finish(); }

    std::string diff_digest() { return stream_hash_.finish(); }

    /// Why read() gave -1.
    [[nodiscard]] std::string failure() const;

  private:
    static ssize_t read_blob(struct archive* archive, void* self, const void** bytes);
    ssize_t next_of_blob();

    std::string path_;
    UniqueFd blob_;
    std::vector<char> buffer_;
    Sha256 blob_hash_;
    Sha256 stream_hash_;
    Archive decompressor_;
    std::vector<char> block_;
    bool is_empty_ = false;
};

} // namespace sctr::storage
