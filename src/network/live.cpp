// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/live.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "linux/procfs.hpp"
#include "network/attaching.hpp"
#include "network/naming.hpp"
#include "network/netavark.hpp"
#include "network/network_store.hpp"

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

void run_netavark(NetavarkVerb verb, const Attachment& what) {
    const UniqueFd space = open_namespace(what);
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(space.get());
    Netavark(find_programs(), verb, what, path).finish();
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
    const UniqueFd netavark = lock_netavark(Patience::wait);
    const UniqueFd lock = lock_state();
    Attachment attachment = find_living(container, "of a stored one, stop it first");
    const auto has = [&](const Attached& each) { return each.network.name == use.name; };
    if (std::ranges::any_of(attachment.networks, has)) {
        throw Error("the container is on the network already").at(container + ": " + use.name);
    }
    const Attached added = attach(NetworkStore::own().load(use.name), use, attachment);
    UndoList undo;
    undo.add([&] { release(added.network, added.addresses, container); });
    const Attachment one = only(attachment, added);
    const Attachment before = attachment;
    attachment.networks.push_back(added);
    // Written down first: whoever ends the container must know of it.
    save_attachment(attachment);
    undo.add([&] { save_attachment(before); });
    run_netavark(NetavarkVerb::setup, one);
    undo.dismiss();
    write_names(attachment);
}

void disconnect(const std::string& container, const std::string& network) {
    const UniqueFd netavark = lock_netavark(Patience::wait);
    const UniqueFd lock = lock_state();
    Attachment attachment = find_living(container);
    const auto found = std::ranges::find_if(
        attachment.networks, [&](const Attached& each) { return each.network.name == network; });
    if (found == attachment.networks.end()) {
        throw Error("the container is not on the network").at(container + ": " + network);
    }
    const Attached removed = std::move(*found);
    run_netavark(NetavarkVerb::teardown, only(attachment, removed));
    attachment.networks.erase(found);
    save_attachment(attachment);
    release(removed.network, removed.addresses, container);
    write_names(attachment);
}

void reload(const std::string& container) {
    const UniqueFd lock = lock_netavark(Patience::wait);
    const Attachment attachment = find_living(container);
    (void)open_namespace(attachment); // or its own error would be taken for one of the rules
    try {
        run_netavark(NetavarkVerb::teardown, attachment);
    } catch (const Error&) {
        // The rules that it wants to remove may be gone, which is why we are here.
    }
    run_netavark(NetavarkVerb::setup, attachment);
}

} // namespace sctr::network
