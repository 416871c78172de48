// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <vector>

#include "network/definition.hpp"

/// The flags of sctr network create, and the network that they ask for. Pure.
namespace sctr::cli {

/// As typed.
struct NetworkCreateFlags {
    std::optional<std::string> driver;
    std::optional<std::string> parent;
    std::optional<std::string> mode;
    std::optional<std::string> interface_name;
    std::vector<std::string> subnets;
    std::vector<std::string> gateways;
    std::vector<std::string> ranges;
    std::vector<std::string> servers;
    std::vector<std::string> options;
    std::vector<std::string> labels;
    std::optional<std::string> mtu;
    bool ipv6 = false;
    bool internal = false;
    bool isolate = false;
    bool strict = false;
    bool no_dns = false;
};

void add_network_create_flags(CLI::App& app, NetworkCreateFlags& flags);

/// What is left open is chosen when it is stored (network::complete). Throws Error.
network::Definition make_network(NetworkCreateFlags flags, const std::string& name);

} // namespace sctr::cli
