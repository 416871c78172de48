// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/connection.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/sha256.hpp"
#include "linux/procfs.hpp"
#include "network/attaching.hpp"
#include "network/name_files.hpp"
#include "network/network_store.hpp"
#include "network/stand_in.hpp"
#include "network/zone.hpp"

namespace sctr::network {

namespace {

Process this_process(pid_t pid) {
    return {.pid = pid, .start_time = sys::process_start_time(pid).value_or(0)};
}

bool is_alive(const Process& process) {
    return process.pid > 0 && sys::process_start_time(process.pid) == process.start_time;
}

bool is_dead(const Attachment& attachment) {
    return !is_alive(attachment.supervisor) && !is_alive(attachment.init);
}

std::string random_id() {
    std::array<char, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("cannot choose an id for the container's networks").because(errno);
    }
    return Sha256::of({bytes.data(), bytes.size()});
}

/// What a container leaves that nobody has disconnected. The caller has netavark's lock.
void undo_dead(const Attachment& attachment) {
    if (!attachment.networks.empty()) {
        try {
            const StandIn stand_in(attachment);
            Netavark(find_programs(), NetavarkVerb::teardown, attachment, stand_in.path()).finish();
        } catch (const Error&) {
            // Whoever has flushed the rules has done part of the work.
        }
        remove_idle_bridges(attachment);
    }
    if (!attachment.zone.empty()) {
        try {
            leave_zone(attachment.zone, attachment.container);
        } catch (const Error&) {
            // The kernel has done it already.
        }
    }
    const UniqueFd lock = lock_state();
    forget_attachment(attachment);
}

/// Whoever has a container's name has it alone.
void undo_earlier(const std::string& container) {
    if (find_attachment(container)) {
        const UniqueFd lock = lock_netavark(Patience::wait);
        if (const auto earlier = find_attachment(container)) {
            undo_dead(*earlier);
        }
    }
}

std::string first_gateway(const Attachment& attachment) {
    for (const Attached& each : attachment.networks) {
        for (const SubnetPlan& plan : each.network.subnets) {
            if (plan.gateway && !plan.gateway->is_v6()) {
                return plan.gateway->text();
            }
        }
    }
    return {};
}

/// Where aardvark-dns listens.
std::vector<std::string> name_servers(const Attachment& attachment) {
    std::vector<std::string> servers;
    for (const Attached& each : attachment.networks) {
        for (const SubnetPlan& plan : each.network.subnets) {
            if (each.network.dns && each.network.driver == "bridge" && plan.gateway) {
                servers.push_back(plan.gateway->text());
            }
        }
    }
    constexpr std::size_t most = 3; // MAXNS of resolv.conf(5)
    servers.resize(std::min(servers.size(), most));
    return servers;
}

Resolver resolver_of(const plan::ContainerNetwork& wanted, const Attachment& attachment) {
    Resolver resolver = merged(wanted.files, host_resolver(wanted.is_hosts));
    if (const auto servers = name_servers(attachment); !servers.empty()) {
        resolver.servers = servers; // those that are asked for are asked by aardvark-dns
        if (wanted.files.options.empty()) {
            // "web" is a name of the network before it is one of a domain that is searched.
            resolver.options = {"ndots:0"};
        }
    } else if (wanted.pasta && wanted.files.servers.empty()) {
        resolver.servers = {pasta_resolver};
    }
    return resolver;
}

} // namespace

Connection::Connection(const plan::ContainerNetwork& wanted, const Who& who) : wanted_(wanted) {
    const plan::NameFiles& files = wanted.files;
    const bool has_files = files.hosts || files.resolv_conf || files.hostname;
    attachment_ = {.container = who.container, .supervisor = this_process(::getpid())};
    if (wanted.is_attached()) {
        attachment_.id = random_id();
        attachment_.ports = wanted.ports;
        attachment_.servers = files.servers;
        attachment_.zone = wanted.zone;
        undo_earlier(who.container);
        const UniqueFd lock = lock_state();
        UndoList undo;
        undo.add([this] { forget_attachment(attachment_); });
        for (const plan::NetworkUse& use : wanted.networks) {
            attachment_.networks.push_back(
                attach(NetworkStore::own().load(use.name), use, attachment_));
        }
        if (!wanted.pasta) { // which takes them itself
            ports_ = ReservedPorts(attachment_.ports);
        } else {
            ReservedPorts found(attachment_.ports);
        }
        save_attachment(attachment_);
        undo.dismiss();
        is_open_ = true;
    }
    if (has_files) {
        try {
            write_files(wanted, who);
        } catch (const Error&) {
            if (is_open_) {
                end();
            }
            throw;
        }
    }
}

Connection::~Connection() {
    try {
        end();
    } catch (const Error&) {
        // The next sweep tries again, and another error is on its way.
    }
}

void Connection::write_files(const plan::ContainerNetwork& wanted, const Who& who) const {
    if (wanted.files.hosts) {
        OwnNames own;
        for (const Attached& each : attachment_.networks) {
            own.addresses.insert(own.addresses.end(), each.addresses.begin(), each.addresses.end());
        }
        if (own.addresses.empty() && !wanted.is_hosts) {
            own.addresses.push_back(*Address::parse("127.0.1.1"));
        }
        if (!who.hostname.empty()) {
            own.names.push_back(who.hostname);
        }
        if (who.container != who.hostname && is_host_name(who.container) && !wanted.is_hosts) {
            own.names.push_back(who.container);
        }
        own.gateway = wanted.is_hosts ? "127.0.0.1"
                      : wanted.pasta  ? pasta_host
                                      : first_gateway(attachment_);
        const std::string base = wanted.is_hosts
                                     ? sys::read_small_file("/etc/hosts").value_or(localhost_lines)
                                     : localhost_lines;
        write_name_file(who.directory + hosts_file, hosts_text(base, own, wanted.files));
    }
    if (wanted.files.resolv_conf) {
        write_name_file(who.directory + resolv_conf_file,
                        to_text(resolver_of(wanted, attachment_)));
    }
    if (wanted.files.hostname) {
        write_name_file(who.directory + hostname_file, who.hostname + "\n");
    }
}

void Connection::begin(pid_t pid) {
    if (!is_open_) {
        return;
    }
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
    network_namespace_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!network_namespace_.valid()) {
        throw Error("cannot open the container's network namespace").because(errno);
    }
    pid_ = pid;
    attachment_.init = this_process(pid);
    save_attachment(attachment_);
    if (!wanted_.zone.empty()) {
        const UniqueFd lock = lock_state();
        join_zone(wanted_.zone, attachment_.container, network_namespace_.get());
    } else if (wanted_.pasta) {
        pasta_ = std::make_unique<Pasta>(
            find_programs().pasta, attachment_.ports, wanted_.pasta_options, pid);
    } else {
        lock_ = lock_netavark(Patience::none);
        if (lock_.valid()) {
            begin_netavark();
        }
    }
}

void Connection::begin_netavark() {
    has_begun_ = true;
    netavark_ = std::make_unique<Netavark>(find_programs(),
                                           NetavarkVerb::setup,
                                           attachment_,
                                           "/proc/" + std::to_string(pid_) + "/ns/net");
}

void Connection::finish() {
    if (is_open_ && !lock_.valid() && !attachment_.networks.empty()) {
        lock_ = lock_netavark(Patience::wait); // somebody else had it
        begin_netavark();
    }
    if (netavark_) {
        netavark_->finish();
        netavark_.reset();
    }
    if (pasta_) {
        pasta_->await_ready();
    }
    lock_.reset();
}

void Connection::end() {
    if (!is_open_) {
        return;
    }
    is_open_ = false;
    netavark_.reset(); // one that still runs is killed
    pasta_.reset();
    if (!lock_.valid() && has_begun_) {
        lock_ = lock_netavark(Patience::wait);
    }
    // It may have been connected to others meanwhile.
    const Attachment now = find_attachment(attachment_.container).value_or(attachment_);
    UndoList rest;
    rest.add([&] {
        const UniqueFd lock = lock_state();
        forget_attachment(now);
        ports_.release();
        network_namespace_.reset();
        lock_.reset();
    });
    if (!now.zone.empty()) {
        const UniqueFd lock = lock_state();
        leave_zone(now.zone, now.container);
    }
    if (has_begun_) {
        Netavark(find_programs(),
                 NetavarkVerb::teardown,
                 now,
                 "/proc/" + std::to_string(::getpid()) + "/fd/" +
                     std::to_string(network_namespace_.get()))
            .finish();
    }
}

void sweep() {
    const auto attachments = list_attachments();
    if (std::ranges::none_of(attachments, is_dead)) {
        return;
    }
    // Whoever starts a container must not wait here for others that do; the next one sweeps.
    const UniqueFd netavark = lock_netavark(Patience::none);
    if (!netavark.valid()) {
        return;
    }
    for (const Attachment& attachment : list_attachments()) {
        if (is_dead(attachment)) {
            undo_dead(attachment);
        }
    }
    const UniqueFd lock = lock_state();
    release_orphans(list_attachments());
}

} // namespace sctr::network
