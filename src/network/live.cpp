// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/live.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "linux/procfs.hpp"
#include "network/attaching.hpp"
#include "network/bridges.hpp"
#include "network/naming.hpp"
#include "network/netavark.hpp"
#include "network/netavark_lock.hpp"
#include "network/network_store.hpp"
#include "network/stand_in.hpp"

namespace sctr::network {

namespace {

Attachment find_living(const std::string& container, const char* mend = "see 'sctr network ls'") {
    auto found = find_attachment(container);
    if (!found) {
        throw Error("the container is on no network")
            .at(container)
            .because("it does not run, or was started without one")
            .mend(mend);
    }
    if (!found->zone.empty() || found->naming.is_pasta) {
        throw Error("the container is on no network")
            .at(container)
            .because(found->zone.empty() ? "pasta connects it" : "it is in a zone");
    }
    return std::move(*found);
}

/// The container's own, and not that of another process which has got its number since.
UniqueFd open_namespace(const Attachment& attachment) {
    const Process& init = attachment.init;
    const std::string path = "/proc/" + std::to_string(init.pid) + "/ns/net";
    UniqueFd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.valid() || sys::process_start_time(init.pid) != init.start_time) {
        throw Error("the container does not run").at(attachment.container);
    }
    return opened;
}

/// The container with one of its networks alone.
Attachment only(const Attachment& attachment, const Attached& network) {
    Attachment one = attachment;
    one.networks = {network};
    return one;
}

void run_netavark(NetavarkVerb verb, const Attachment& what, const UniqueFd& space) {
    Netavark(find_programs(), verb, what, namespace_path(space)).finish();
}

void set_up(const Attachment& what) {
    const UniqueFd space = open_namespace(what);
    remove_half_made_bridges(what);
    run_netavark(NetavarkVerb::setup, what, space);
}

/// Also what was set up or taken down in part.
void take_down(const Attachment& what) {
    const UniqueFd space = open_namespace(what);
    try {
        run_netavark(NetavarkVerb::teardown, what, space);
    } catch (const Error&) {
        try {
            run_netavark(NetavarkVerb::teardown, what, space); // killed, it has left the interface
        } catch (const Error&) {
            take_back(what); // or not even that
        }
    }
}

/// Takes addresses in one more network, and writes that down before anything is made: whoever ends
/// the container must know of it. Returns the container with that network alone.
Attachment add_network(const std::string& container, const plan::NetworkUse& use) {
    const UniqueFd lock = lock_state();
    Attachment attachment = find_living(container, "of a stored one, stop it first");
    // What is written down of one that starts is its supervisor's still.
    (void)open_namespace(attachment);
    const auto has = [&](const Attached& each) { return each.network.name == use.name; };
    if (std::ranges::any_of(attachment.networks, has)) {
        throw Error("the container is on the network already").at(container + ": " + use.name);
    }
    const Attached added = attach(NetworkStore::own().load(use.name), use, attachment);
    UndoList undo;
    undo.add([&] { release(added.network, added.addresses, container); });
    attachment.networks.push_back(added);
    save_attachment(attachment);
    undo.dismiss();
    return only(attachment, added);
}

/// The container is no longer on a network; its addresses there are free. What else is written down
/// of it is as it is now, and not as it was before netavark ran.
void leave(const std::string& container, const std::string& network) {
    const UniqueFd lock = lock_state();
    Attachment attachment = find_living(container);
    const auto found = std::ranges::find_if(
        attachment.networks, [&](const Attached& each) { return each.network.name == network; });
    if (found == attachment.networks.end()) {
        return;
    }
    const Attached left = std::move(*found);
    attachment.networks.erase(found);
    save_attachment(attachment);
    release(left.network, left.addresses, container);
}

} // namespace

std::vector<Attachment> attachments_of(const std::string& network) {
    std::vector<Attachment> found = list_attachments();
    std::erase_if(found, [&](const Attachment& attachment) {
        return std::ranges::none_of(attachment.networks, [&](const Attached& each) {
            return each.network.name == network;
        });
    });
    return found;
}

void connect(const std::string& container, const plan::NetworkUse& use) {
    const NetavarkLock netavark(Patience::wait);
    const Attachment one = add_network(container, use);
    UndoList undo;
    undo.add([&] {
        take_down(one); // where that fails, whoever ends the container must know of it
        leave(container, use.name);
    });
    set_up(one);
    undo.dismiss();
    const UniqueFd lock = lock_state();
    write_names(find_living(container));
}

void disconnect(const std::string& container, const std::string& network) {
    const NetavarkLock netavark(Patience::wait);
    const Attachment attachment = find_living(container);
    const auto found = std::ranges::find_if(
        attachment.networks, [&](const Attached& each) { return each.network.name == network; });
    if (found == attachment.networks.end()) {
        throw Error("the container is not on the network").at(container + ": " + network);
    }
    take_down(only(attachment, *found));
    leave(container, network);
    const UniqueFd lock = lock_state();
    write_names(find_living(container));
}

void reload(const std::string& container) {
    const NetavarkLock lock(Patience::wait);
    const Attachment attachment = find_living(container);
    const UniqueFd space = open_namespace(attachment);
    try {
        run_netavark(NetavarkVerb::teardown, attachment, space);
    } catch (const Error&) {
        // The rules that it wants to remove may be gone, which is why we are here.
    }
    set_up(attachment);
}

} // namespace sctr::network
