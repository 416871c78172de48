// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "cli/gather.hpp"
#include "cli/log.hpp"
#include "cli/network_flags.hpp"
#include "host/caller.hpp"
#include "linux/syscalls.hpp"
#include "network/network_store.hpp"
#include "network/programs.hpp"
#include "network/zone.hpp"

namespace sctr::cli {
namespace {

bool is_in_root(const std::string& root, const char* path) {
    const UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return UniqueFd(sys::openat2(directory.get(),
                                 path,
                                 O_PATH | O_CLOEXEC,
                                 0,
                                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        .valid();
}

/// A network without a server of names is one for who knows addresses.
void warn_without_names(const network::Programs& programs,
                        const std::vector<plan::NetworkUse>& networks) {
    const auto has_names = [](const plan::NetworkUse& use) {
        const auto definition = network::NetworkStore::own().find(use.name);
        return !definition || definition->dns;
    };
    if (programs.aardvark.empty() && std::ranges::any_of(networks, has_names)) {
        log(LogLevel::warn,
            "containers do not find each other by name: install aardvark-dns, or use a network of "
            "'sctr network create --disable-dns'");
    }
}

/// Throws Error where what is asked for by name is not installed, or not the caller's to use.
void check_can_connect(const NetworkChoice& choice) {
    const network::Programs programs = network::find_programs();
    if (choice.pasta && programs.pasta.empty()) {
        throw Error("there is no pasta").at("--network pasta").mend("install passt");
    }
    if (choice.pasta && host::caller().is_system) {
        throw Error("pasta is for plain users").at("--network pasta").mend("use --network bridge");
    }
    if (!choice.zone.empty() && !host::caller().is_system) {
        throw Error("only root's containers can be in a zone")
            .at("--network zone:" + choice.zone)
            .mend("use --network pasta, or run it as root");
    }
    if (!choice.zone.empty()) {
        network::require_networkd(choice.zone);
    }
    if (choice.networks.empty()) {
        return;
    }
    const std::string flag = "--network " + choice.networks.front().name;
    if (!host::caller().is_system) {
        throw Error("only root's containers can be on a bridge")
            .at(flag)
            .mend("use --network pasta, or run it as root");
    }
    if (const std::string missing = network::missing_for_bridges(programs); !missing.empty()) {
        throw Error("there is no " + missing).at(flag).mend("install " + missing);
    }
    warn_without_names(programs, choice.networks);
}

/// What a container is connected to that names nothing.
DefaultNetwork default_network() {
    const host::Caller& caller = host::caller();
    if (caller.in_user_namespace) {
        return DefaultNetwork::none; // of an engine's own making, which has networks of its own
    }
    const network::Programs programs = network::find_programs();
    if (caller.is_system) {
        const std::string missing = network::missing_for_bridges(programs);
        if (missing.empty()) {
            warn_without_names(programs, {{.name = network::default_network}});
            return DefaultNetwork::bridge;
        }
        log(LogLevel::warn,
            "the container has no network but its loopback device: install " + missing +
                ", or say --network none");
    } else if (!programs.pasta.empty()) {
        return DefaultNetwork::pasta;
    } else {
        log(LogLevel::warn,
            "the container has no network but its loopback device: install passt, or say "
            "--network none");
    }
    return DefaultNetwork::none;
}

} // namespace

void gather_network(const NetworkFlags& flags,
                    const container::RecordStore& store,
                    RootfsFacts& facts) {
    if (flags.networks.empty()) {
        facts.default_network = default_network();
    } else {
        check_can_connect(parse_networks(flags.networks));
    }
    facts.records = store.root();
    struct statvfs status{};
    facts.cannot_make_files = facts.overlay.lower.empty() &&
                              ::statvfs(facts.rootfs.c_str(), &status) == 0 &&
                              (status.f_flag & ST_RDONLY) != 0;
    for (const char* path : {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}) {
        if (facts.cannot_make_files && is_in_root(facts.rootfs, path)) {
            facts.files_of_root.insert(path);
        }
        for (const auto& [name, pid] : facts.containers) {
            const std::string file =
                facts.records + "/" + name + std::string(path).substr(sizeof "/etc" - 1);
            if (::access(file.c_str(), F_OK) == 0) {
                facts.files_of_others.insert(file);
            }
        }
    }
}

} // namespace sctr::cli
