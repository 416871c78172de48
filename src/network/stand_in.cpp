// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/stand_in.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <string>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "linux/netlink.hpp"
#include "linux/process.hpp"
#include "network/bridges.hpp"
#include "network/kept.hpp"
#include "network/netavark.hpp"

namespace sctr::network {

namespace {

/// A network namespace with interfaces of the names that the attachment has, as long as its process
/// lives. Throws Error.
sys::Child stand_in_for(const Attachment& attachment) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error("cannot make a network namespace").because(errno);
    }
    const UniqueFd ready(ends[0]);
    UniqueFd said(ends[1]);
    sys::Child child = sys::fork_child(CLONE_NEWNET, [&] {
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
    return child;
}

/// The attachment as one of which aardvark-dns has never been told.
Attachment without_names(Attachment attachment) {
    for (Attached& each : attachment.networks) {
        each.network.dns = false;
    }
    return attachment;
}

void take_devices_back(const Attachment& attachment) {
    await_ports_of_others(attachment);
    const sys::Child stand_in = stand_in_for(attachment);
    const std::string path = "/proc/" + std::to_string(stand_in.pid()) + "/ns/net";
    const UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    add_missing_bridges(attachment);
    UndoList undo;
    hold_bridges_of_others(attachment, space.get(), undo);
    Netavark(find_programs(), NetavarkVerb::teardown, without_names(attachment), path).finish();
}

} // namespace

void take_back(const Attachment& attachment) {
    std::exception_ptr failure;
    for (const auto step : {forget_kept, take_devices_back}) {
        try {
            step(attachment);
        } catch (const Error&) {
            failure = std::current_exception();
        }
    }
    remove_idle_bridges(attachment);
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace sctr::network
