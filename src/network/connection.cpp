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
#include "linux/directory_watch.hpp"
#include "linux/procfs.hpp"
#include "network/attaching.hpp"
#include "network/bridges.hpp"
#include "network/name_files.hpp"
#include "network/naming.hpp"
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

/// The ports of all containers.
std::vector<plan::PublishedPort> published() {
    std::vector<plan::PublishedPort> ports;
    for (const Attachment& each : list_attachments()) {
        ports.insert(ports.end(), each.ports.begin(), each.ports.end());
    }
    return ports;
}

std::string random_id() {
    std::array<char, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("cannot choose an id for the container's networks").because(errno);
    }
    return Sha256::of({bytes.data(), bytes.size()});
}

/// What a container leaves that nobody has disconnected; where netavark fails, the next sweep tries
/// again, a few times. The caller has netavark's lock.
void undo_dead(const Attachment& attachment) {
    if (!attachment.networks.empty()) {
        try {
            take_back(attachment);
        } catch (const Error&) {
            constexpr unsigned most = 3; // whoever has flushed the rules has done part of the work
            if (attachment.failed_undos + 1 < most) {
                Attachment later = attachment;
                ++later.failed_undos;
                const UniqueFd lock = lock_state();
                save_attachment(later);
                return;
            }
        }
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
        const NetavarkLock lock(Patience::wait);
        while (const auto earlier = find_attachment(container)) {
            undo_dead(*earlier);
        }
    }
}

} // namespace

Connection::Connection(const plan::ContainerNetwork& wanted, const Who& who) : wanted_(wanted) {
    const plan::NameFiles& files = wanted.files;
    const bool has_files = files.hosts || files.resolv_conf || files.hostname;
    attachment_ = {.container = who.container,
                   .supervisor = this_process(::getpid()),
                   .naming = {.files = files,
                              .hostname = who.hostname,
                              .directory = who.directory,
                              .is_hosts = wanted.is_hosts,
                              .is_pasta = wanted.pasta}};
    if (wanted.pasta) {
        attachment_.naming.pasta_servers = host_resolver(true).servers;
    }
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
            ports_ = ReservedPorts(
                attachment_.ports,
                std::ranges::contains(attachment_.ports, "sctp", &plan::PublishedPort::protocol)
                    ? published()
                    : std::vector<plan::PublishedPort>());
        } else {
            ReservedPorts found(attachment_.ports);
        }
        save_attachment(attachment_);
        undo.dismiss();
        is_open_ = true;
    }
    if (has_files) {
        try {
            write_names(attachment_);
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
    {
        const UniqueFd lock = lock_state();
        save_attachment(attachment_);
    }
    if (!wanted_.zone.empty()) {
        const UniqueFd lock = lock_state();
        join_zone(wanted_.zone, attachment_.container, network_namespace_.get());
    } else if (wanted_.pasta) {
        pasta_ = std::make_unique<Pasta>(find_programs().pasta,
                                         attachment_.ports,
                                         wanted_.pasta_options,
                                         pid,
                                         network_namespace_);
    } else {
        lock_ = NetavarkLock(Patience::none);
        if (lock_.valid()) {
            begin_netavark();
        }
    }
}

void Connection::begin_netavark() {
    has_begun_ = true;
    remove_half_made_bridges(attachment_);
    netavark_ = std::make_unique<Netavark>(find_programs(),
                                           NetavarkVerb::setup,
                                           attachment_,
                                           "/proc/" + std::to_string(pid_) + "/ns/net");
}

void Connection::finish() {
    if (is_open_ && !lock_.valid() && !attachment_.networks.empty()) {
        lock_ = NetavarkLock(Patience::wait); // somebody else had it
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

void Connection::follow_host() {
    std::vector<UniqueFd> watched; // anew, as a directory may be another one by now
    if (is_open_ && !wanted_.networks.empty() && !name_server_) {
        // Whoever connects it to one more network, which may have names, writes its files anew.
        watched.push_back(sys::watch_directory(attachment_.naming.directory));
    }
    if (wanted_.files.resolv_conf) {
        for (const std::string& directory : resolver_directories()) {
            watched.push_back(sys::watch_directory(directory));
        }
    }
    watched_ = std::move(watched);
    try {
        // Others may have connected it to more networks.
        const Attachment now =
            is_open_ ? find_attachment(attachment_.container).value_or(attachment_) : attachment_;
        if (is_open_ && !name_server_ && asks_name_server(now)) {
            name_server_.emplace(now.container);
        }
        if (wanted_.files.resolv_conf) {
            network::follow_host(now);
        }
    } catch (const Error&) {
        // A disk that is full: the next change tries again.
    }
}

void Connection::add_to(std::vector<struct pollfd>& items) const {
    if (pasta_) {
        pasta_->add_to(items);
    }
    if (name_server_) {
        name_server_->add_to(items);
    }
}

int Connection::timeout_ms() const {
    if (name_server_) {
        return name_server_->timeout_ms();
    }
    return pasta_ ? pasta_->timeout_ms() : -1;
}

std::optional<Error> Connection::handle(const std::vector<struct pollfd>& items) {
    if (name_server_) {
        return name_server_->handle(items);
    }
    auto said = pasta_ ? pasta_->handle(items) : std::nullopt;
    if (said) {
        attachment_.naming.pasta_servers = host_resolver(true).servers; // which it has read anew
        try {
            const UniqueFd lock = lock_state();
            save_attachment(attachment_);
        } catch (const Error&) {
            // A disk that is full: where the servers are others now, the container asks them
            // itself.
        }
        follow_host();
    }
    return said;
}

void Connection::end() {
    if (!is_open_) {
        return;
    }
    is_open_ = false;
    watched_.clear();
    name_server_.reset(); // with the lock that it may have
    if (netavark_) {
        try {
            netavark_->finish(); // there is less to take back than if it were killed
        } catch (const Error&) {
            // What it has made is taken away below.
        }
        netavark_.reset();
    }
    pasta_.reset();
    if (!lock_.valid() && pid_ != 0 && !attachment_.networks.empty()) {
        try {
            lock_ = NetavarkLock(Patience::wait);
        } catch (const Error&) {
            if (has_begun_) {
                throw;
            }
            // There is no room for the lock, so that nobody else has connected it either.
        }
    }
    // It may have been connected to others meanwhile, even where our own netavark has not begun.
    const Attachment now = find_attachment(attachment_.container).value_or(attachment_);
    has_begun_ = has_begun_ || now.networks != attachment_.networks;
    UndoList rest;
    rest.add([&] {
        ports_.release();
        network_namespace_.reset();
        lock_.reset();
    });
    if (!now.zone.empty()) {
        const UniqueFd lock = lock_state();
        leave_zone(now.zone, now.container);
    }
    if (has_begun_) {
        try {
            Netavark(
                find_programs(), NetavarkVerb::teardown, now, namespace_path(network_namespace_))
                .finish();
        } catch (const Error&) {
            // Killed half-way, now or in the set-up. Our fd would keep the interfaces.
            network_namespace_.reset();
            take_back(now);
        }
    }
    const UniqueFd lock = lock_state();
    forget_attachment(now);
}

void sweep() {
    const auto attachments = list_attachments();
    if (std::ranges::none_of(attachments, is_dead)) {
        return;
    }
    // Whoever starts a container must not wait here for others that do; the next one sweeps.
    const NetavarkLock netavark(Patience::none);
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
