// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sctr {

namespace {

/// FIPS 180-4, 4.2.2.
alignas(16) constexpr std::array<std::uint32_t, 64> round_constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t load_big_endian(const std::uint8_t* bytes) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return std::endian::native == std::endian::little ? std::byteswap(word) : word;
}

/// FIPS 180-4, 6.2.2.
void compress_portable(std::uint32_t* state, const std::uint8_t* blocks, std::size_t count) {
    using std::rotr;
    for (; count > 0; --count, blocks += Sha256::block_size) {
        std::array<std::uint32_t, 64> w{};
        for (std::size_t t = 0; t < 16; ++t) {
            w[t] = load_big_endian(blocks + 4 * t);
        }
        for (std::size_t t = 16; t < 64; ++t) {
            const std::uint32_t x = w[t - 15];
            const std::uint32_t y = w[t - 2];
            w[t] = w[t - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3U)) + w[t - 7] +
                   (rotr(y, 17) ^ rotr(y, 19) ^ (y >> 10U));
        }
        std::array<std::uint32_t, 8> v{};
        std::copy_n(state, 8, v.begin());
        for (std::size_t t = 0; t < 64; ++t) {
            const std::uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
            const std::uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            const std::uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) +
                                     choice + round_constants[t] + w[t];
            const std::uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) + majority;
            std::copy_backward(v.begin(), v.end() - 1, v.end());
            v[4] += t1;
            v[0] = t1 + t2;
        }
        for (std::size_t i = 0; i < 8; ++i) {
            state[i] += v[i];
        }
    }
}

#if defined(__x86_64__)
/// Four rounds an iteration; the message schedule rotates through four registers.
/// Source: Intel 64 and IA-32 Software Developer's Manual, SHA256RNDS2, SHA256MSG1, SHA256MSG2.
__attribute__((target("sha,sse4.1"))) void
compress_x86(std::uint32_t* state, const std::uint8_t* blocks, std::size_t count) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    // The instructions want the words as ABEF and CDGH.
    auto* words = reinterpret_cast<__m128i*>(state);
    const __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b);
    __m128i abef = _mm_alignr_epi8(dcba, hgfe, 8);
    __m128i cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
    for (; count > 0; --count, blocks += Sha256::block_size) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i schedule[4];
        for (std::size_t i = 0; i < 4; ++i) {
            const auto* bytes = reinterpret_cast<const __m128i*>(blocks + 16 * i);
            schedule[i] = _mm_shuffle_epi8(_mm_loadu_si128(bytes), swap);
        }
        for (std::size_t i = 0; i < 16; ++i) {
            __m128i& now = schedule[i % 4];
            if (i >= 4) {
                const __m128i last = schedule[(i + 3) % 4];
                const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, schedule[(i + 1) % 4]),
                                                  _mm_alignr_epi8(last, schedule[(i + 2) % 4], 4));
                now = _mm_sha256msg2_epu32(sum, last);
            }
            const auto* constants =
                reinterpret_cast<const __m128i*>(round_constants.data() + 4 * i);
            const __m128i input = _mm_add_epi32(now, _mm_load_si128(constants));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
}
#endif

Sha256::Compress best_compress() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sha") != 0 && __builtin_cpu_supports("sse4.1") != 0) {
        return compress_x86;
    }
#endif
    return compress_portable;
}

} // namespace

Sha256::Sha256()
    : compress_(best_compress()), state_{0x6a09e667,
                                         0xbb67ae85,
                                         0x3c6ef372,
                                         0xa54ff53a,
                                         0x510e527f,
                                         0x9b05688c,
                                         0x1f83d9ab,
                                         0x5be0cd19} {}

void Sha256::update(const void* bytes, std::size_t size) {
    const auto* next = static_cast<const std::uint8_t*>(bytes);
    const std::size_t held = size_ % block_size;
    size_ += size;
    if (held > 0) {
        const std::size_t taken = std::min(size, block_size - held);
        std::memcpy(rest_.data() + held, next, taken);
        if (held + taken < block_size) {
            return;
        }
        compress_(state_.data(), rest_.data(), 1);
        next += taken;
        size -= taken;
    }
    const std::size_t whole = size / block_size;
    compress_(state_.data(), next, whole);
    if (const std::size_t left = size % block_size; left > 0) {
        std::memcpy(rest_.data(), next + whole * block_size, left);
    }
}

std::string Sha256::finish() {
    const std::uint64_t bits = size_ * 8;
    // One bit, zeros, and the length in the last eight bytes of a block.
    std::array<std::uint8_t, 2 * block_size> padding{0x80};
    const std::size_t held = size_ % block_size;
    const std::size_t size = (held < 56 ? block_size : 2 * block_size) - held;
    for (std::size_t i = 0; i < 8; ++i) {
        padding[size - 1 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
    }
    update(padding.data(), size);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint32_t word : state_) {
        for (int shift = 28; shift >= 0; shift -= 4) {
            text += digits[(word >> static_cast<unsigned>(shift)) & 15U];
        }
    }
    return text;
}

std::string Sha256::of(std::string_view text) {
    Sha256 hash;
    hash.update(text);
    return hash.finish();
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && std::ranges::all_of(text, [](char letter) {
               return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
           });
}

} // namespace sctr
