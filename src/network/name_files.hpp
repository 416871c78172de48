// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/address.hpp"
#include "plan/network.hpp"

/// /etc/hosts, /etc/resolv.conf and /etc/hostname of a container: files in the directory of its
/// record, which are bound into it read-only, since what it wrote there would fill the host's /run.
namespace sctr::network {

/// What resolv.conf(5) says.
struct Resolver {
    std::vector<std::string> servers;
    std::vector<std::string> search;
    std::vector<std::string> options;

    bool operator==(const Resolver&) const = default;
};

Resolver parse_resolver(std::string_view text);
std::string to_text(const Resolver& resolver);

/// The host's resolver. For who has not the host's network: without servers on loopback addresses,
/// which is systemd-resolved's own list where it is the only one.
Resolver host_resolver(bool is_hosts_network);

/// The directories in which a change can change host_resolver().
std::vector<std::string> resolver_directories();

/// The servers of `own` where there are any, else those of `host`; the same of the rest.
Resolver merged(const plan::NameFiles& own, const Resolver& host);

/// Who a container is, for the text of /etc/hosts.
struct OwnNames {
    std::vector<Address> addresses;
    std::vector<std::string> names;
    std::string gateway; ///< what "host-gateway" stands for; empty: nothing
};

/// /etc/hosts: `base` is what stands first. Throws Error for a host-gateway that there is none of.
std::string hosts_text(const std::string& base, const OwnNames& own, const plan::NameFiles& files);

/// What every /etc/hosts begins with.
extern const char* const localhost_lines;

/// The files' names in the directory of a record.
inline constexpr const char* hosts_file = "/hosts";
inline constexpr const char* resolv_conf_file = "/resolv.conf";
inline constexpr const char* hostname_file = "/hostname";

/// Writes a file of this text, or changes it in place, as who has it bound is to see it; nothing
/// where it says so already. Nobody reads it empty meanwhile. Throws Error.
void write_name_file(const std::string& path, const std::string& text);

} // namespace sctr::network
