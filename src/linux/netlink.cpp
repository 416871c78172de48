// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/netlink.hpp"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>

#include "base/error.hpp"
#include "base/scope_exit.hpp"

namespace sctr::sys {

namespace {

/// A request that grows by attributes.
class Request {
  public:
    template <typename Body>
    Request(std::uint16_t type, unsigned flags, const Body& body)
        : bytes_(NLMSG_LENGTH(sizeof body)) {
        struct nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header.nlmsg_seq = 1;
        std::memcpy(bytes_.data(), &header, sizeof header);
        std::memcpy(bytes_.data() + NLMSG_HDRLEN, &body, sizeof body);
    }

    void add(std::uint16_t type, const void* value, std::size_t size) {
        bytes_.resize(NLMSG_ALIGN(bytes_.size()));
        struct rtattr attribute{};
        attribute.rta_type = type;
        attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
        const auto* const begin = reinterpret_cast<const char*>(&attribute);
        bytes_.insert(bytes_.end(), begin, begin + sizeof attribute);
        if (size != 0) {
            const auto* const data = static_cast<const char*>(value);
            bytes_.insert(bytes_.end(), data, data + size);
        }
    }

    void add(std::uint16_t type, const std::vector<std::uint8_t>& value) {
        if (!value.empty()) {
            add(type, value.data(), value.size());
        }
    }

    /// Begins an attribute that holds what is added until end() is called with the result.
    [[nodiscard]] std::size_t begin(std::uint16_t type) {
        add(type, nullptr, 0);
        return bytes_.size() - sizeof(struct rtattr);
    }

    /// Fixed-size content of an attribute that has been begun.
    template <typename Body> void add_body(const Body& body) {
        const auto* const data = reinterpret_cast<const char*>(&body);
        bytes_.insert(bytes_.end(), data, data + sizeof body);
    }

    void end(std::size_t begun) {
        const auto size = static_cast<std::uint16_t>(bytes_.size() - begun);
        std::memcpy(bytes_.data() + begun + offsetof(struct rtattr, rta_len), &size, sizeof size);
    }

    [[nodiscard]] const std::vector<char>& finish() {
        bytes_.resize(NLMSG_ALIGN(bytes_.size()));
        const auto size = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data() + offsetof(struct nlmsghdr, nlmsg_len), &size, sizeof size);
        return bytes_;
    }

  private:
    std::vector<char> bytes_;
};

using Visitor = std::function<void(std::uint16_t type, std::string_view value)>;

/// Calls `visit` for each attribute of a message's tail.
void for_each_attribute(std::string_view tail, const Visitor& visit) {
    struct rtattr attribute{};
    while (tail.size() >= sizeof attribute) {
        std::memcpy(&attribute, tail.data(), sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > tail.size()) {
            return;
        }
        visit(attribute.rta_type & NLA_TYPE_MASK,
              tail.substr(sizeof attribute, attribute.rta_len - sizeof attribute));
        tail.remove_prefix(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), tail.size()));
    }
}

/// Throws the Error of an answer that is one. Without "extended ack" the kernel repeats the request
/// behind the error; with it, and the request capped, its words come there.
void check_answer(const struct nlmsghdr& header, std::string_view payload, const char* what) {
    struct nlmsgerr answer{};
    if (payload.size() < sizeof answer) {
        throw Error(what).because("the kernel's answer is too short");
    }
    std::memcpy(&answer, payload.data(), sizeof answer);
    if (answer.error == 0) {
        return;
    }
    Error error(what);
    error.because(-answer.error);
    if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
        for_each_attribute(payload.substr(sizeof answer),
                           [&error](std::uint16_t type, std::string_view value) {
                               if (type == NLMSGERR_ATTR_MSG) {
                                   error.because(value.substr(0, value.find('\0')));
                               }
                           });
    }
    throw error;
}

/// Sends a request and hands each message of the answer to `visit`. Throws Error(what).
void talk(int socket,
          Request request,
          const char* what,
          const std::function<void(const struct nlmsghdr&, std::string_view)>& visit) {
    const auto& bytes = request.finish();
    if (::send(socket, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error(what).because(errno);
    }
    std::vector<char> buffer(65536);
    for (;;) {
        const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            throw Error(what).because(errno);
        }
        std::string_view rest(buffer.data(), static_cast<std::size_t>(size));
        struct nlmsghdr header{};
        while (rest.size() >= sizeof header) {
            std::memcpy(&header, rest.data(), sizeof header);
            if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) {
                throw Error(what).because("the kernel's answer is damaged");
            }
            const auto payload = rest.substr(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
            if (header.nlmsg_type == NLMSG_DONE) {
                return;
            }
            if (header.nlmsg_type == NLMSG_ERROR) {
                check_answer(header, payload, what);
                return;
            }
            visit(header, payload);
            rest.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), rest.size()));
        }
    }
}

void ignore(const struct nlmsghdr& /*header*/, std::string_view /*payload*/) {}

std::vector<std::uint8_t> to_bytes(std::string_view value) {
    return {value.begin(), value.end()};
}

InterfaceAddress parse_address(const struct ifaddrmsg& message, std::string_view attributes) {
    InterfaceAddress address{.family = message.ifa_family,
                             .prefix_length = message.ifa_prefixlen,
                             .scope = message.ifa_scope,
                             .flags = message.ifa_flags};
    for_each_attribute(attributes, [&address](std::uint16_t type, std::string_view value) {
        if (type == IFA_ADDRESS) {
            address.address = to_bytes(value);
        } else if (type == IFA_LOCAL) {
            address.local = to_bytes(value);
        } else if (type == IFA_BROADCAST) {
            address.broadcast = to_bytes(value);
        } else if (type == IFA_FLAGS && value.size() == sizeof address.flags) {
            std::memcpy(&address.flags, value.data(), sizeof address.flags);
        }
    });
    return address;
}

UniqueFd open_socket() {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const int on = 1;
    // Both only make errors better to read.
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    struct sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (!socket.valid() ||
        ::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0) {
        throw Error("cannot open a netlink socket").because(errno);
    }
    return socket;
}

} // namespace

Netlink::Netlink() : socket_(open_socket()) {}

Netlink::Netlink(int network_namespace) {
    const UniqueFd own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!own.valid() || ::setns(network_namespace, CLONE_NEWNET) < 0) {
        throw Error("cannot enter the container's network namespace").because(errno);
    }
    UndoList way_back;
    // Nothing that this process does there would be right.
    way_back.add([&own] {
        if (::setns(own.get(), CLONE_NEWNET) < 0) {
            std::abort();
        }
    });
    socket_ = open_socket();
}

unsigned Netlink::index_of(const std::string& name) const {
    struct ifinfomsg body{};
    Request request(RTM_GETLINK, NLM_F_ACK, body);
    request.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    unsigned index = 0;
    try {
        talk(socket_.get(),
             std::move(request),
             "cannot look a network device up",
             [&index](const struct nlmsghdr& header, std::string_view payload) {
                 struct ifinfomsg link{};
                 if (header.nlmsg_type == RTM_NEWLINK && payload.size() >= sizeof link) {
                     std::memcpy(&link, payload.data(), sizeof link);
                     index = static_cast<unsigned>(link.ifi_index);
                 }
             });
    } catch (const Error& error) {
        if (error.error_number() != ENODEV) {
            throw;
        }
    }
    return index;
}

std::vector<InterfaceAddress> Netlink::addresses(unsigned index) const {
    struct ifaddrmsg body{};
    std::vector<InterfaceAddress> found;
    talk(socket_.get(),
         Request(RTM_GETADDR, NLM_F_DUMP, body),
         "cannot list network addresses",
         [&](const struct nlmsghdr& header, std::string_view payload) {
             struct ifaddrmsg message{};
             if (header.nlmsg_type != RTM_NEWADDR || payload.size() < sizeof message) {
                 return;
             }
             std::memcpy(&message, payload.data(), sizeof message);
             if (message.ifa_index == index) {
                 found.push_back(
                     parse_address(message, payload.substr(NLMSG_ALIGN(sizeof message))));
             }
         });
    return found;
}

void Netlink::move_link(unsigned index, int network_namespace, const std::string& name) const {
    struct ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    Request request(RTM_NEWLINK, NLM_F_ACK, body);
    request.add(IFLA_NET_NS_FD, &network_namespace, sizeof network_namespace);
    request.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    talk(socket_.get(), std::move(request), "cannot move the network device", ignore);
}

void Netlink::add_address(unsigned index, const InterfaceAddress& address) const {
    struct ifaddrmsg body{};
    body.ifa_family = address.family;
    body.ifa_prefixlen = address.prefix_length;
    body.ifa_scope = address.scope;
    body.ifa_index = index;
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body);
    request.add(IFA_ADDRESS, address.address);
    request.add(IFA_LOCAL, address.local);
    request.add(IFA_BROADCAST, address.broadcast);
    request.add(IFA_FLAGS, &address.flags, sizeof address.flags);
    talk(socket_.get(), std::move(request), "cannot give the network device its address", ignore);
}

void Netlink::set_up(unsigned index) const {
    struct ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    body.ifi_flags = IFF_UP;
    body.ifi_change = IFF_UP;
    talk(socket_.get(),
         Request(RTM_NEWLINK, NLM_F_ACK, body),
         "cannot set the network device up",
         ignore);
}

void Netlink::add_bridge(const std::string& name) const {
    constexpr const char* failure = "cannot make a bridge";
    std::array<unsigned char, ETH_ALEN> address{};
    if (::getrandom(address.data(), address.size(), 0) != static_cast<ssize_t>(address.size())) {
        throw Error(failure).because(errno);
    }
    constexpr unsigned group_bit = 1;
    constexpr unsigned local_bit = 2;
    address[0] = static_cast<unsigned char>((address[0] & ~group_bit) | local_bit);
    struct ifinfomsg body{};
    Request request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body);
    request.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    request.add(IFLA_ADDRESS, address.data(), address.size());
    const std::size_t info = request.begin(IFLA_LINKINFO);
    constexpr std::string_view kind = "bridge";
    request.add(IFLA_INFO_KIND, kind.data(), kind.size());
    request.end(info);
    talk(socket_.get(), std::move(request), failure, ignore);
}

void Netlink::set_master(unsigned index, unsigned bridge) const {
    struct ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    Request request(RTM_NEWLINK, NLM_F_ACK, body);
    request.add(IFLA_MASTER, &bridge, sizeof bridge);
    talk(socket_.get(), std::move(request), "cannot connect the network device", ignore);
}

void Netlink::add_veth(const std::string& name,
                       const std::string& peer,
                       int network_namespace) const {
    struct ifinfomsg body{};
    Request request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body);
    request.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    const std::size_t info = request.begin(IFLA_LINKINFO);
    constexpr std::string_view kind = "veth";
    request.add(IFLA_INFO_KIND, kind.data(), kind.size());
    const std::size_t data = request.begin(IFLA_INFO_DATA);
    const std::size_t other = request.begin(VETH_INFO_PEER);
    request.add_body(body);
    request.add(IFLA_IFNAME, peer.c_str(), peer.size() + 1);
    if (network_namespace >= 0) {
        request.add(IFLA_NET_NS_FD, &network_namespace, sizeof network_namespace);
    }
    request.end(other);
    request.end(data);
    request.end(info);
    talk(socket_.get(), std::move(request), "cannot make a pair of network devices", ignore);
}

void Netlink::remove_link(unsigned index) const {
    struct ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    talk(socket_.get(),
         Request(RTM_DELLINK, NLM_F_ACK, body),
         "cannot remove the network device",
         ignore);
}

} // namespace sctr::sys
