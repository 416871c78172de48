// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

/// What containers need of rtnetlink(7): network devices that move between namespaces.
namespace sctr::sys {

/// An address of a network device, as the kernel tells and takes it.
struct InterfaceAddress {
    std::uint8_t family = 0;
    std::uint8_t prefix_length = 0;
    std::uint8_t scope = 0;
    std::uint32_t flags = 0;           ///< IFA_F_*
    std::vector<std::uint8_t> address; ///< of the device; of the peer on point-to-point links
    std::vector<std::uint8_t> local;   ///< of the device; empty: the same as `address`
    std::vector<std::uint8_t> broadcast;
};

/// A netlink socket. Throws Error, with the kernel's own words where it gives any.
class Netlink {
  public:
    /// In the network namespace of this process.
    Netlink();

    /// In another network namespace, which this process enters and leaves for it: it must have no
    /// other thread.
    explicit Netlink(int network_namespace);

    /// The index of the device of this name; 0 when there is none.
    [[nodiscard]] unsigned index_of(const std::string& name) const;

    [[nodiscard]] std::vector<InterfaceAddress> addresses(unsigned index) const;

    /// Moves a device to another network namespace under a name that must be free there.
    void move_link(unsigned index, int network_namespace, const std::string& name) const;

    void add_address(unsigned index, const InterfaceAddress& address) const;

    void set_up(unsigned index) const;

    /// Makes the two ends of a veth(4) pair, both down; the other one in another network namespace
    /// (-1: in the same).
    void
    add_veth(const std::string& name, const std::string& peer, int network_namespace = -1) const;

    /// With a random hardware address that stays: one that is taken from the ports changes when
    /// they come and go, while those on the bridge have noted it. Throws Error.
    void add_bridge(const std::string& name) const;

    /// Makes a device a port of a bridge.
    void set_master(unsigned index, unsigned bridge) const;

    void remove_link(unsigned index) const;

  private:
    UniqueFd socket_;
};

} // namespace sctr::sys
