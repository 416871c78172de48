// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "network/address.hpp"

namespace sctr::network {

namespace {

struct SocketAddress {
    struct sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const struct sockaddr* generic() const {
        return reinterpret_cast<const struct sockaddr*>(&storage);
    }
};

/// An empty address means all, of both families.
SocketAddress socket_address(const std::string& text, std::uint16_t port, bool is_v6) {
    SocketAddress result;
    if (is_v6) {
        struct sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        if (!text.empty()) {
            ::inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
        }
        std::memcpy(&result.storage, &address, sizeof address);
        result.size = sizeof address;
    } else {
        struct sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        if (!text.empty()) {
            ::inet_pton(AF_INET, text.c_str(), &address.sin_addr);
        }
        std::memcpy(&result.storage, &address, sizeof address);
        result.size = sizeof address;
    }
    return result;
}

UniqueFd open_socket(const std::string& protocol, bool is_v6) {
    const int type = protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM;
    return UniqueFd(::socket(
        is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, protocol == "sctp" ? IPPROTO_SCTP : 0));
}

/// Only connections that are closing may hold the port, and no server: then it is free.
bool is_taken_by_the_past(UniqueFd& socket, const SocketAddress& address) {
    const int on = 1;
    return ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           ::bind(socket.get(), address.generic(), address.size) == 0 &&
           ::listen(socket.get(), 1) == 0 && ::shutdown(socket.get(), SHUT_RD) == 0;
}

/// An invalid fd and errno when somebody has the port.
UniqueFd take(const plan::PublishedPort& port, std::uint16_t number) {
    const bool both = port.host_ip.empty();
    bool is_v6 = both || port.host_ip.contains(':');
    UniqueFd socket = open_socket(port.protocol, is_v6);
    if (!socket.valid() && both) {
        is_v6 = false; // a kernel without IPv6
        socket = open_socket(port.protocol, is_v6);
    }
    if (!socket.valid()) {
        return {};
    }
    const SocketAddress address = socket_address(port.host_ip, number, is_v6);
    if (::bind(socket.get(), address.generic(), address.size) < 0) {
        const int error_number = errno;
        if (error_number != EADDRINUSE || port.protocol != "tcp" ||
            !is_taken_by_the_past(socket, address)) {
            errno = error_number;
            return {};
        }
    }
    return socket;
}

std::uint16_t number_of(const UniqueFd& socket) {
    SocketAddress address;
    address.size = sizeof address.storage;
    ::getsockname(
        socket.get(), reinterpret_cast<struct sockaddr*>(&address.storage), &address.size);
    struct sockaddr_in plain{};
    std::memcpy(&plain, &address.storage, sizeof plain); // the port is at the same place in both
    return ntohs(plain.sin_port);
}

Error refused(const plan::PublishedPort& port, std::uint16_t number, int error_number) {
    Error error("cannot publish the port");
    error.at("--publish " + to_string(port)).because(error_number);
    if (error_number == EADDRINUSE) {
        error.because("port " + std::to_string(number) + " of the host is in use already")
            .mend("see 'ss -lntup', or choose another one");
    } else if (error_number == EACCES) {
        error.mend("it is root's: see sysctl net.ipv4.ip_unprivileged_port_start");
    } else if (error_number == EADDRNOTAVAIL) {
        error.because("the host has no address " + port.host_ip);
    }
    return error;
}

bool has_port(const std::vector<plan::PublishedPort>& others,
              const plan::PublishedPort& port,
              std::uint16_t number) {
    return std::ranges::any_of(others, [&](const plan::PublishedPort& other) {
        const bool meets =
            other.host_ip.empty() || port.host_ip.empty() || other.host_ip == port.host_ip;
        return meets && other.protocol == port.protocol && number >= other.host_port &&
               number < other.host_port + other.range;
    });
}

/// The container's own, or the next one.
std::uint16_t free_port(const std::vector<plan::PublishedPort>& others,
                        const plan::PublishedPort& port) {
    std::uint16_t number = port.container_port;
    while (has_port(others, port, number) && number != 0) {
        ++number;
    }
    if (number == 0) {
        throw refused(port, port.container_port, EADDRINUSE);
    }
    return number;
}

} // namespace

ReservedPorts::ReservedPorts(std::vector<plan::PublishedPort>& ports,
                             const std::vector<plan::PublishedPort>& others) {
    for (plan::PublishedPort& port : ports) {
        for (unsigned i = 0; i < port.range; ++i) {
            const auto number =
                static_cast<std::uint16_t>(port.host_port == 0 ? 0 : port.host_port + i);
            UniqueFd socket = take(port, number);
            if (!socket.valid() && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)) {
                if (number != 0 && has_port(others, port, number)) {
                    throw refused(port, number, EADDRINUSE);
                }
                if (number == 0) {
                    port.host_port = free_port(others, port);
                }
                continue;
            }
            if (!socket.valid()) {
                throw refused(port, number, errno);
            }
            if (port.host_port == 0) {
                port.host_port = number_of(socket);
            }
            sockets_.push_back(std::move(socket));
        }
    }
}

std::string to_string(const plan::PublishedPort& port) {
    const auto range = [&port](std::uint16_t first) {
        return std::to_string(first) +
               (port.range > 1 ? "-" + std::to_string(first + port.range - 1) : "");
    };
    const std::string ip = port.host_ip.contains(':') ? "[" + port.host_ip + "]" : port.host_ip;
    return (ip.empty() ? "" : ip + ":") + (port.host_port == 0 ? "" : range(port.host_port) + ":") +
           range(port.container_port) + "/" + port.protocol;
}

} // namespace sctr::network
