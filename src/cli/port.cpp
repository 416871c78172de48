// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/network_flags.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/record_store.hpp"
#include "network/state.hpp"

namespace sctr::cli {
namespace {

std::string host_side(const plan::PublishedPort& port, unsigned offset) {
    const std::string ip = port.host_ip.empty()         ? "0.0.0.0"
                           : port.host_ip.contains(':') ? "[" + port.host_ip + "]"
                                                        : port.host_ip;
    return ip + ":" + std::to_string(port.host_port + offset);
}

} // namespace

int port_verb(const Words& words) {
    CLI::App app("Shows which ports of the host lead into a container.", "sctr port");
    describe(app, "CONTAINER [PORT[/PROTOCOL]]", {"sctr port web", "sctr port web 80/tcp"});
    const auto names = parse_names(app, words);
    if (names.empty() || names.size() > 2) {
        throw Error("one container is needed").mend("see 'sctr port --help'");
    }
    container::check_id(names[0]);
    const auto attachment = network::find_attachment(names[0]);
    if (!attachment) {
        (void)container::RecordStore(container::RecordStore::default_root()).load(names[0]);
    }
    const auto asked =
        names.size() == 2 ? parse_expose(names[1]) : std::vector<plan::PublishedPort>();
    bool found = false;
    for (const plan::PublishedPort& port :
         attachment ? attachment->ports : std::vector<plan::PublishedPort>()) {
        for (unsigned i = 0; i < port.range; ++i) {
            const unsigned inside = port.container_port + i;
            if (asked.empty()) {
                std::printf(
                    "%u/%s -> %s\n", inside, port.protocol.c_str(), host_side(port, i).c_str());
            } else if (asked.front().container_port == inside &&
                       asked.front().protocol == port.protocol) {
                std::puts(host_side(port, i).c_str());
                found = true;
            }
        }
    }
    if (!asked.empty() && !found) {
        throw Error("the port is not published").at(names[0] + " " + names[1]);
    }
    return 0;
}

} // namespace sctr::cli
