// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "base/strings.hpp"

namespace sctr::network {

std::optional<Address> Address::parse(const std::string& text) {
    Address address;
    if (::inet_pton(AF_INET, text.c_str(), address.bytes_.data()) == 1) {
        return address;
    }
    address.is_v6_ = true;
    if (::inet_pton(AF_INET6, text.c_str(), address.bytes_.data()) == 1) {
        return address;
    }
    return std::nullopt;
}

Address Address::from_bytes(const std::uint8_t* bytes, bool is_v6) {
    Address address;
    address.is_v6_ = is_v6;
    std::copy_n(bytes, address.bits() / 8, address.bytes_.begin());
    return address;
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    ::inet_ntop(is_v6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer.data(), buffer.size());
    return buffer.data();
}

Address Address::masked(unsigned length) const {
    Address result = *this;
    for (unsigned i = 0; i < bits() / 8; ++i) {
        const unsigned kept = length > i * 8 ? std::min(length - i * 8, 8U) : 0;
        result.bytes_[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return result;
}

Address Address::plus(std::uint64_t offset) const {
    Address result = *this;
    std::uint64_t carry = offset;
    for (unsigned i = bits() / 8; i-- > 0 && carry != 0;) {
        const std::uint64_t sum = result.bytes_[i] + (carry & 0xffU);
        result.bytes_[i] = static_cast<std::uint8_t>(sum);
        carry = (carry >> 8U) + (sum >> 8U);
    }
    return result;
}

std::uint64_t Address::minus(const Address& base) const {
    const auto low = [](const Address& address) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < address.bits() / 8; ++i) {
            value = value << 8U | address.bytes_[i];
        }
        return value;
    };
    return (low(*this) - low(base)) & std::numeric_limits<std::int64_t>::max();
}

std::optional<Subnet> Subnet::parse(const std::string& text) {
    const auto [before, after] = split_once(text, '/');
    const auto address = Address::parse(before);
    const auto length = after ? parse_uint(*after) : std::nullopt;
    if (!address || !length || *length > address->bits()) {
        return std::nullopt;
    }
    const auto bits = static_cast<unsigned>(*length);
    return Subnet{.base = address->masked(bits), .length = bits};
}

std::string Subnet::text() const {
    return base.text() + "/" + std::to_string(length);
}

bool Subnet::contains(const Address& address) const {
    return address.is_v6() == base.is_v6() && address.masked(length) == base;
}

bool Subnet::overlaps(const Subnet& other) const {
    return length <= other.length ? contains(other.base) : other.contains(base);
}

std::uint64_t Subnet::last_offset() const {
    const unsigned host_bits = base.bits() - length;
    constexpr unsigned most_bits = 62;
    const std::uint64_t all = host_bits > most_bits ? std::numeric_limits<std::int64_t>::max()
                                                    : (std::uint64_t{1} << host_bits) - 1;
    const std::uint64_t reserved = base.is_v6() ? 0 : 1;
    return all > reserved ? all - reserved : 0;
}

std::optional<std::string> parse_mac(std::string_view text) {
    const auto parts = split(text, ':');
    constexpr std::size_t bytes = 6;
    const bool is_hex = std::ranges::all_of(parts, [](const std::string& part) {
        return part.size() == 2 && std::ranges::all_of(part, [](unsigned char letter) {
                   return std::isxdigit(letter) != 0;
               });
    });
    constexpr std::string_view even = "02468aceACE";
    // An odd first byte is that of a group, which no device has.
    if (parts.size() != bytes || !is_hex || !even.contains(parts[0][1]) ||
        text == "00:00:00:00:00:00") {
        return std::nullopt;
    }
    return to_lower(text);
}

} // namespace sctr::network
