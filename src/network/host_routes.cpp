// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/host_routes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/procfs.hpp"

namespace sctr::network {

namespace {

std::optional<std::uint32_t> parse_hex(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value, 16);
    return error == std::errc() && end == text.end() ? std::optional(value) : std::nullopt;
}

} // namespace

std::vector<Subnet> parse_routes(std::string_view text) {
    constexpr std::size_t destination = 1;
    constexpr std::size_t mask = 7;
    std::vector<Subnet> found;
    for (const std::string& line : split(text, '\n')) {
        const auto words = words_of(line);
        const auto base = words.size() > mask ? parse_hex(words[destination]) : std::nullopt;
        const auto bits = base ? parse_hex(words[mask]) : std::nullopt;
        if (!bits || *bits == 0) {
            continue; // the heading, or the default route
        }
        // Both are printed as the number that the bytes in network order are on this machine.
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &*base, bytes.size());
        found.push_back({.base = Address::from_bytes(bytes.data(), false),
                         .length = static_cast<unsigned>(std::popcount(*bits))});
    }
    return found;
}

std::vector<Subnet> parse_routes6(std::string_view text) {
    constexpr std::size_t digits = 32;
    std::vector<Subnet> found;
    for (const std::string& line : split(text, '\n')) {
        const auto words = words_of(line);
        const auto length = words.size() > 1 ? parse_hex(words[1]) : std::nullopt;
        if (!length || *length == 0 || words[0].size() != digits) {
            continue;
        }
        std::array<std::uint8_t, 16> bytes{};
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::uint8_t>(
                parse_hex(std::string_view(words[0]).substr(i * 2, 2)).value_or(0));
        }
        found.push_back({.base = Address::from_bytes(bytes.data(), true), .length = *length});
    }
    return found;
}

std::vector<Subnet> host_subnets() {
    // Big hosts have routes by the hundreds of thousands; what does not fit is not avoided.
    std::vector<Subnet> found =
        parse_routes(sys::read_small_file("/proc/self/net/route").value_or(""));
    const auto more = parse_routes6(sys::read_small_file("/proc/self/net/ipv6_route").value_or(""));
    found.insert(found.end(), more.begin(), more.end());
    return found;
}

Subnet free_subnet(const std::vector<Subnet>& taken, bool is_v6) {
    const Subnet pool = *Subnet::parse(is_v6 ? "fd53:6374:7200::/48" : "10.210.0.0/15");
    const unsigned length = is_v6 ? 64 : 24;
    constexpr unsigned most = 512;
    Address base = pool.base;
    for (unsigned i = 0; i < most; ++i) {
        const Subnet candidate{.base = base, .length = length};
        if (std::ranges::none_of(taken,
                                 [&](const Subnet& other) { return candidate.overlaps(other); })) {
            return candidate;
        }
        // A shift by 64 has no meaning: of IPv6 two steps of half of it.
        constexpr std::uint64_t half = std::uint64_t{1} << 63U;
        base = is_v6 ? base.plus(half).plus(half) : base.plus(std::uint64_t{1} << (32U - 24U));
    }
    throw Error("no free subnet for the network")
        .because("all of " + pool.text() + " is in use")
        .mend("give --subnet");
}

} // namespace sctr::network
