// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/name_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/procfs.hpp"

namespace sctr::network {

namespace {

constexpr const char* hosts_resolver = "/etc/resolv.conf";
constexpr const char* resolved_servers = "/run/systemd/resolve/resolv.conf";

bool is_loopback(const std::string& server) {
    return server.starts_with("127.") || server == "::1";
}

void add_list(std::string& text, const char* key, const std::vector<std::string>& values) {
    if (!values.empty()) {
        text += std::string(key) + " " + join(values, " ") + "\n";
    }
}

} // namespace

const char* const localhost_lines = "127.0.0.1\tlocalhost\n"
                                    "::1\tlocalhost ip6-localhost ip6-loopback\n";

Resolver parse_resolver(std::string_view text) {
    Resolver found;
    for (const std::string& line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() < 2) {
            continue;
        }
        const std::string key = words.front();
        words.erase(words.begin());
        if (key == "nameserver") {
            found.servers.push_back(words.front());
        } else if (key == "search" || key == "domain") {
            found.search = std::move(words); // the last one counts
        } else if (key == "options") {
            found.options.insert(found.options.end(), words.begin(), words.end());
        }
    }
    return found;
}

std::string to_text(const Resolver& resolver) {
    std::string text;
    add_list(text, "search", resolver.search);
    for (const std::string& server : resolver.servers) {
        text += "nameserver " + server + "\n";
    }
    add_list(text, "options", resolver.options);
    return text;
}

std::vector<std::string> resolver_directories() {
    std::vector<std::string> found = {"/etc",
                                      std::filesystem::path(resolved_servers).parent_path()};
    std::error_code none;
    const auto file = std::filesystem::canonical(hosts_resolver, none);
    if (const std::string real = file.parent_path(); !none && !std::ranges::contains(found, real)) {
        found.push_back(real);
    }
    return found;
}

Resolver host_resolver(bool is_hosts_network) {
    Resolver found = parse_resolver(sys::read_small_file(hosts_resolver).value_or(""));
    if (is_hosts_network) {
        return found;
    }
    const bool only_loopback =
        !found.servers.empty() && std::ranges::all_of(found.servers, is_loopback);
    if (only_loopback) {
        // systemd-resolved(8): the servers that its stub asks.
        found.servers = parse_resolver(sys::read_small_file(resolved_servers).value_or("")).servers;
    }
    std::erase_if(found.servers, is_loopback);
    return found;
}

Resolver merged(const plan::NameFiles& own, const Resolver& host) {
    Resolver result = host;
    if (!own.servers.empty()) {
        result.servers = own.servers;
    }
    if (!own.search.empty()) {
        result.search = own.search;
    }
    if (result.search == std::vector<std::string>{"."}) {
        result.search.clear();
    }
    if (!own.options.empty()) {
        result.options = own.options;
    }
    return result;
}

std::string hosts_text(const std::string& base, const OwnNames& own, const plan::NameFiles& files) {
    std::string text = base;
    if (!text.empty() && !text.ends_with('\n')) {
        text += '\n';
    }
    if (!own.names.empty()) {
        for (const Address& address : own.addresses) {
            text += address.text() + "\t" + join(own.names, " ") + "\n";
        }
    }
    for (const plan::HostEntry& entry : files.entries) {
        const bool is_gateway = entry.address == "host-gateway";
        if (is_gateway && own.gateway.empty()) {
            throw Error("the container has no way to the host")
                .at("--add-host " + entry.name + ":host-gateway")
                .mend("give it a network, or an address");
        }
        text += (is_gateway ? own.gateway : entry.address) + "\t" + entry.name + "\n";
    }
    return text;
}

void write_name_file(const std::string& path, const std::string& text) {
    constexpr mode_t for_every_user = 0644;
    if (sys::read_small_file(path) == text) {
        return;
    }
    const UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, for_every_user));
    const auto size = static_cast<ssize_t>(text.size());
    if (!file.valid() || ::fchmod(file.get(), for_every_user) < 0 ||
        ::write(file.get(), text.data(), text.size()) != size ||
        ::ftruncate(file.get(), size) < 0) {
        throw Error("cannot write the container's names").at(path).because(errno);
    }
}

} // namespace sctr::network
