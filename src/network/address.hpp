// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// IP addresses and subnets. Pure.
namespace sctr::network {

class Address {
  public:
    Address() = default;

    /// "10.0.0.1" or "fd00::1"; nothing for what is neither.
    static std::optional<Address> parse(const std::string& text);
    /// From 4 or 16 bytes in network order.
    static Address from_bytes(const std::uint8_t* bytes, bool is_v6);

    [[nodiscard]] bool is_v6() const { return is_v6_; }

    /// Of its family: 32 or 128.
    [[nodiscard]] unsigned bits() const { return is_v6_ ? 128 : 32; }

    [[nodiscard]] std::string text() const;
    /// With everything behind the first `length` bits zero.
    [[nodiscard]] Address masked(unsigned length) const;
    /// The one `offset` behind this.
    [[nodiscard]] Address plus(std::uint64_t offset) const;
    /// How far behind `base` this is; of more than fits, the last 63 bits.
    [[nodiscard]] std::uint64_t minus(const Address& base) const;

    auto operator<=>(const Address&) const = default;

  private:
    bool is_v6_ = false;
    std::array<std::uint8_t, 16> bytes_{};
};

struct Subnet {
    Address base; ///< its first address
    unsigned length = 0;

    /// "10.0.0.0/24"; the address may be any in it. Nothing for what is no subnet.
    static std::optional<Subnet> parse(const std::string& text);

    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool contains(const Address& address) const;
    [[nodiscard]] bool overlaps(const Subnet& other) const;
    /// How far the last address that a container can have is from the base: neither the subnet's
    /// own nor, of IPv4, the broadcast address is one. 0: there is none.
    [[nodiscard]] std::uint64_t last_offset() const;

    bool operator==(const Subnet&) const = default;
};

/// "02:00:00:00:00:01" of one device, in lower case; nothing for what is none.
std::optional<std::string> parse_mac(std::string_view text);

} // namespace sctr::network
