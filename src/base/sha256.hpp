// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sctr {

/// SHA-256, with the CPU's own instructions where it has them. Source: FIPS 180-4.
class Sha256 {
  public:
    Sha256();

    void update(const void* bytes, std::size_t size);

    void update(std::string_view text) { update(text.data(), text.size()); }

    /// The digest in 64 lower-case hexadecimal digits. Nothing may be added afterwards.
    std::string finish();

    /// Of a text that is there as a whole.
    static std::string of(std::string_view text);

    static constexpr std::size_t block_size = 64;

    /// Hashes whole blocks into `state`.
    using Compress = void (*)(std::uint32_t* state, const std::uint8_t* blocks, std::size_t count);

  private:
    Compress compress_;
    std::array<std::uint32_t, 8> state_;
    std::array<std::uint8_t, block_size> rest_{};
    std::uint64_t size_ = 0;
};

/// Whether the text is what Sha256 gives: 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text);

} // namespace sctr
