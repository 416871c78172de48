// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/stand_in.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "linux/netlink.hpp"

namespace sctr::network {

namespace {

namespace fs = std::filesystem;

std::ptrdiff_t ports_of(const std::string& bridge) {
    std::error_code none;
    const fs::directory_iterator ports("/sys/class/net/" + bridge + "/brif", none);
    return none ? 0 : std::distance(begin(ports), end(ports));
}

std::ptrdiff_t containers_on(const std::string& bridge, const std::string& except) {
    const auto all = list_attachments();
    return std::ranges::count_if(all, [&](const Attachment& attachment) {
        return attachment.container != except &&
               std::ranges::any_of(attachment.networks, [&](const Attached& each) {
                   return each.network.interface == bridge;
               });
    });
}

void await_ports(const std::string& bridge, std::ptrdiff_t most) {
    using namespace std::chrono;
    constexpr auto patience = seconds(3);
    constexpr auto pause = milliseconds(5);
    for (const auto end = steady_clock::now() + patience;
         ports_of(bridge) > most && steady_clock::now() < end;) {
        std::this_thread::sleep_for(pause); // nothing tells when the kernel has done it
    }
}

} // namespace

StandIn::StandIn(const Attachment& attachment) {
    for (const Attached& each : attachment.networks) {
        if (each.network.driver == "bridge") {
            await_ports(each.network.interface,
                        containers_on(each.network.interface, attachment.container));
        }
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error("cannot make a network namespace").because(errno);
    }
    const UniqueFd ready(ends[0]);
    UniqueFd said(ends[1]);
    child_ = sys::fork_child(CLONE_NEWNET, [&] {
        const sys::Netlink links;
        unsigned number = 0;
        for (const Attached& each : attachment.networks) {
            links.add_veth(each.interface, "other-end" + std::to_string(number++));
        }
        said.reset();
        ::pause();
    });
    said.reset();
    char none = 0;
    while (::read(ready.get(), &none, 1) < 0 && errno == EINTR) {
    }
}

std::string StandIn::path() const {
    return "/proc/" + std::to_string(child_.pid()) + "/ns/net";
}

void remove_idle_bridges(const Attachment& attachment) {
    for (const Attached& each : attachment.networks) {
        const std::string& bridge = each.network.interface;
        if (each.network.driver != "bridge" || ports_of(bridge) > 0 ||
            containers_on(bridge, attachment.container) > 0) {
            continue;
        }
        const sys::Netlink links;
        if (const unsigned index = links.index_of(bridge); index != 0) {
            links.remove_link(index);
        }
    }
}

} // namespace sctr::network
