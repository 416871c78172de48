// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/layer_member.hpp"
#include "storage/layer_stream.hpp"
#include "storage/meaning.hpp"
#include "storage/recipe.hpp"
#include "storage/unpack.hpp"

struct archive_entry;

namespace sctr::storage {

/// Reads the members of one archive, one after the other. Errors name a member as "/PATH".
class Unpacker {
  public:
    /// Throws Error.
    Unpacker(LayerStream& stream, const LayerBounds& bounds, RecipeWriter* recipe = nullptr);

    /// The next member; nothing when that was all. Throws Error.
    std::optional<LayerMember> next();

    /// After the last one: the archive ends as archives do, and was not cut off between two
    /// members. Source: POSIX pax, "at least two blocks of zeros".
    [[nodiscard]] bool has_end_mark() const;

    /// Writes the one that next() has returned, which may have got another name. Throws Error.
    void write(const LayerMember& member, MemberTree& tree, Meaning meaning);

    /// Of the content of the one that next() has returned.
    [[nodiscard]] std::uint64_t size() const;

    /// Of content.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    void write_file(const LayerMember& member, std::int64_t size, MemberTree& tree);
    [[nodiscard]] std::uint64_t position() const;

    LayerBounds bounds_;
    Archive reader_;
    RecipeWriter* recipe_;
    struct archive_entry* entry_ = nullptr;
    std::uint64_t count_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace sctr::storage
