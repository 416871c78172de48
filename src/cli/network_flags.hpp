// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/run_flags.hpp"
#include "plan/network.hpp"

/// The texts of --network, --publish and their like. Pure.
namespace sctr::cli {

/// What the words of --network mean together.
struct NetworkChoice {
    /// For the namespace alone: "none", "host", "container:NAME", "ns:PATH"; nothing: a new one.
    std::optional<std::string> space;
    std::vector<plan::NetworkUse> networks;
    bool pasta = false;
    std::vector<std::string> pasta_options;
    std::string zone;        ///< of systemd-networkd
    bool is_default = false; ///< nothing was said
};

/// Throws Error.
NetworkChoice parse_networks(const std::vector<std::string>& words);

/// The word of --network that asks for this.
std::string network_word(const plan::NetworkUse& use);

/// What --ip and its like ask for, added to the one network that there is; --network-alias, to all.
/// Throws Error.
void add_addresses(plan::ContainerNetwork& network, const NetworkFlags& flags);

/// A value of --publish: "[IP:]HOST:CONTAINER[/PROTOCOL]", "[IP:]:CONTAINER" or "CONTAINER", with
/// ranges of the same length. Where the host's port is left open, one for each. Throws Error.
std::vector<plan::PublishedPort> parse_publish(const std::string& text);

/// A value of --expose, or of who else names ports so: "PORT[-PORT][/PROTOCOL]", as ports that are
/// to be published. Throws Error.
std::vector<plan::PublishedPort> parse_expose(const std::string& text,
                                              const char* source = "--expose");

/// True for what -p takes besides: NAME=VALUE, a property.
bool is_property_word(const std::string& word);

} // namespace sctr::cli
