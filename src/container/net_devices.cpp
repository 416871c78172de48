// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/net_devices.hpp"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.hpp"
#include "linux/netlink.hpp"

namespace sctr::container {

namespace {

/// The addresses that an administrator has given, and not those that the kernel finds by itself.
std::vector<sys::InterfaceAddress> addresses_to_keep(const sys::Netlink& host, unsigned index) {
    std::vector<sys::InterfaceAddress> kept;
    for (sys::InterfaceAddress& address : host.addresses(index)) {
        if ((address.flags & IFA_F_PERMANENT) == 0 || address.scope != RT_SCOPE_UNIVERSE) {
            continue;
        }
        address.flags &= IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_MCAUTOJOIN;
        if (address.family == AF_INET6) {
            address.flags |= IFA_F_NODAD; // it was this device's all the time
        }
        kept.push_back(std::move(address));
    }
    return kept;
}

void move_device(const sys::Netlink& host,
                 const sys::Netlink& container,
                 int network_namespace,
                 const std::string& name,
                 const std::string& new_name) {
    const unsigned index = host.index_of(name);
    if (index == 0) {
        throw Error("the host has no such network device");
    }
    // The kernel would move the device first, and then fail to rename it.
    if (container.index_of(new_name) != 0) {
        throw Error("cannot move the network device")
            .because("the container's network namespace has a device '" + new_name + "'");
    }
    const auto addresses = addresses_to_keep(host, index);
    host.move_link(index, network_namespace, new_name);
    const unsigned new_index = container.index_of(new_name);
    for (const sys::InterfaceAddress& address : addresses) {
        container.add_address(new_index, address);
    }
    container.set_up(new_index);
}

} // namespace

void move_net_devices(const std::map<std::string, oci::NetDevice>& devices, pid_t pid) {
    if (devices.empty()) {
        return;
    }
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
    const UniqueFd network_namespace(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!network_namespace.valid()) {
        throw Error("cannot open the container's network namespace").because(errno);
    }
    const sys::Netlink host;
    const sys::Netlink container(network_namespace.get());
    for (const auto& [name, device] : devices) {
        try {
            const std::string& new_name = device.name.empty() ? name : device.name;
            move_device(host, container, network_namespace.get(), name, new_name);
        } catch (Error& error) {
            throw error.at("/linux/netDevices/" + name);
        }
    }
}

} // namespace sctr::container
