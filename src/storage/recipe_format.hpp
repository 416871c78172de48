// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <linux/openat2.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What a recipe is made of, zstd aside: the magic, records, each with its kind before it, and the
/// end. Numbers are little-endian.
namespace sctr::storage::recipe {

inline constexpr std::string_view magic = "sctr recipe 1\n";

inline constexpr char bytes = 'b';   ///< length, and that many bytes of the archive
inline constexpr char content = 'c'; ///< length of a name, the name, offset, length and sum
inline constexpr char end = 'e';

inline constexpr std::size_t length_size = 4;
inline constexpr std::size_t name_size = 2; ///< 0: the file before
inline constexpr std::size_t number_size = 8;

inline constexpr std::uint64_t longest_bytes = 1 << 16;
inline constexpr std::size_t longest_name = 4096;

/// How names are resolved, in the layer's directory.
inline constexpr std::uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

} // namespace sctr::storage::recipe
