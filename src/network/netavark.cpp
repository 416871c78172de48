// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/netavark.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"
#include "network/name_server.hpp"
#include "network/netavark_lock.hpp"

namespace sctr::network {

namespace {

using nlohmann::json;

constexpr int timeout_seconds = 60;

json network_json(const Definition& network) {
    json subnets = json::array();
    for (const SubnetPlan& each : network.subnets) {
        json value = {{"subnet", each.subnet.text()}};
        if (each.gateway) {
            value["gateway"] = each.gateway->text();
        }
        subnets.push_back(std::move(value));
    }
    json options = json::object();
    if (network.mtu != 0) {
        options["mtu"] = std::to_string(network.mtu);
    }
    if (!network.mode.empty()) {
        options["mode"] = network.mode;
    }
    if (network.isolation != Isolation::none) {
        options["isolate"] = network.isolation == Isolation::strict ? "strict" : "true";
    }
    json told = {{"name", network.name},
                 {"id", network.id},
                 {"driver", network.driver},
                 {"network_interface", network.interface},
                 {"subnets", subnets},
                 {"ipv6_enabled", network.has_v6()},
                 {"internal", network.internal},
                 {"dns_enabled", network.dns},
                 {"options", options},
                 {"ipam_options", {{"driver", "host-local"}}}};
    if (!network.servers.empty()) {
        told["network_dns_servers"] = network.servers;
    }
    return told;
}

json container_json(const Attached& attached) {
    json addresses = json::array();
    for (const Address& address : attached.addresses) {
        addresses.push_back(address.text());
    }
    json value = {{"interface_name", attached.interface}, {"static_ips", addresses}};
    if (!attached.use.aliases.empty()) {
        value["aliases"] = attached.use.aliases;
    }
    if (!attached.mac.empty()) {
        value["static_mac"] = attached.mac;
    }
    return value;
}

std::string text_of(const UniqueFd& file) {
    return sys::read_small_file("/proc/self/fd/" + std::to_string(file.get())).value_or("");
}

} // namespace

std::string netavark_options(const Attachment& attachment) {
    json networks = json::object();
    json infos = json::object();
    for (const Attached& each : attachment.networks) {
        networks[each.network.name] = container_json(each);
        infos[each.network.name] = network_json(each.network);
    }
    json ports = json::array();
    for (const plan::PublishedPort& port : attachment.ports) {
        ports.push_back({{"host_ip", port.host_ip},
                         {"host_port", port.host_port},
                         {"container_port", port.container_port},
                         {"range", port.range},
                         {"protocol", port.protocol}});
    }
    json options = {{"container_id", attachment.id},
                    {"container_name", attachment.container},
                    {"networks", networks},
                    {"network_info", infos},
                    {"port_mappings", ports}};
    if (!attachment.servers.empty()) {
        options["dns_servers"] = attachment.servers;
    }
    return options.dump();
}

std::string netavark_error(const std::string& output, const std::string& errors) {
    const json value = json::parse(output, nullptr, false);
    if (value.is_object() && value.contains("error") && value["error"].is_string()) {
        return escape_controls(valid_utf8(value["error"].get<std::string>()));
    }
    return escape_controls(valid_utf8(errors.substr(0, errors.find('\n'))));
}

std::string namespace_path(const UniqueFd& network_namespace) {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(network_namespace.get());
}

Netavark::Netavark(const Programs& programs,
                   NetavarkVerb verb,
                   const Attachment& attachment,
                   const std::string& network_namespace)
    : verb_(verb),
      input_(sys::sealed_memfd("netavark-options", netavark_options(attachment), false)),
      output_(sys::memory_file("netavark-output")), errors_(sys::memory_file("netavark-errors")) {
    forget_dead_name_server();          // which would be told of names
    ::lseek(input_.get(), 0, SEEK_SET); // whoever wrote it left it at its end
    std::vector<std::string> args = {
        programs.netavark, "--config", state_root() + "/netavark", "--rootless=false"};
    if (!programs.aardvark.empty()) {
        args.push_back("--aardvark-binary=" + programs.aardvark);
    }
    args.emplace_back(verb == NetavarkVerb::setup ? "setup" : "teardown");
    args.push_back(network_namespace);
    program_ = std::make_unique<sys::RunningProgram>(sys::Program{
        .path = programs.netavark,
        .args = std::move(args),
        // With systemd-run in its path it gives aardvark-dns, which outlives us, a scope.
        .env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "NETAVARK_FW=nftables",
                netavark_mark()},
        .directory = "/",
        .standard = {input_.get(), output_.get(), errors_.get()}});
}

void Netavark::finish() {
    program_->wait(timeout_seconds, -1);
    const sys::ProgramEnd end = program_->end();
    if (end.is_success()) {
        return;
    }
    if (end.how != sys::ProgramEnd::How::exited) {
        end_what_netavark_left(); // nft would go on to change rules while they are taken back
    }
    Error error(verb_ == NetavarkVerb::setup ? "cannot attach the container to its networks"
                                             : "cannot detach the container from its networks");
    const std::string said = netavark_error(text_of(output_), text_of(errors_));
    throw error.at("netavark").because(said.empty() ? to_string(end) : said);
}

} // namespace sctr::network
