// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/kept.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/name_server.hpp"

namespace sctr::network {

namespace {

namespace fs = std::filesystem;

constexpr const char* cannot_forget = "cannot forget a container's names";

/// What is attached without `gone`. Throws Error: one that is overlooked would lose its names and
/// rules.
std::vector<Attachment> attached_but(const Attachment& gone) {
    std::vector<Attachment> all = list_attachments(Unreadable::error);
    for (Attachment& attachment : all) {
        if (attachment.id == gone.id) {
            std::erase_if(attachment.networks, [&](const Attached& each) {
                const auto is_same = [&](const Attached& other) {
                    return other.network.id == each.network.id;
                };
                return std::ranges::any_of(gone.networks, is_same);
            });
        }
    }
    return all;
}

bool has_part(const std::vector<Attachment>& all,
              const std::function<bool(const Attachment&, const Definition&)>& is_it) {
    return std::ranges::any_of(all, [&](const Attachment& attachment) {
        return std::ranges::any_of(attachment.networks, [&](const Attached& each) {
            return is_it(attachment, each.network);
        });
    });
}

/// Written elsewhere: all that is in the directory of names is read as such. Returns whether names
/// have changed.
bool forget_names_in(const fs::path& path, const std::vector<Attachment>& all) {
    const std::string file = path.filename();
    const std::string network = file.substr(0, file.find('%')); // NAME%int of an internal one
    const auto text = sys::read_small_file(path);
    if (!text) {
        return false;
    }
    const std::string rest = names_of_those_there(*text, [&](const std::string& id) {
        return has_part(all, [&](const Attachment& attachment, const Definition& definition) {
            return attachment.id == id && definition.name == network;
        });
    });
    if (rest.empty()) {
        ::unlink(path.c_str());
        return true;
    }
    if (rest == *text) {
        return false;
    }
    const std::string beside = state_root() + "/names";
    sys::replace_file(beside, rest, 0600, sys::Durability::memory, cannot_forget);
    if (::rename(beside.c_str(), path.c_str()) < 0) {
        throw Error(cannot_forget).at(path.string()).because(errno);
    }
    return true;
}

void forget_names(const std::vector<Attachment>& all) {
    bool has_changed = false;
    bool has_names = false;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(name_server_directory(), none)) {
        if (entry.path().filename() != "aardvark.pid") {
            has_changed = forget_names_in(entry.path(), all) || has_changed;
            has_names = has_names || fs::exists(entry.path(), none);
        }
    }
    forget_dead_name_server();
    if (has_changed || !has_names) {
        sys::pidfd_send_signal(name_server().get(), SIGHUP);
    }
}

/// Files NETWORK_CONTAINER and NETWORK, by their ids.
void forget_rules(const std::vector<Attachment>& all) {
    const std::string root = state_root() + "/netavark/firewall/";
    const auto forget = [&](const char* directory, const auto& name) {
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(root + directory, none)) {
            const std::string file = entry.path().filename();
            if (!has_part(all, [&](const Attachment& attachment, const Definition& network) {
                    return file == name(attachment, network);
                })) {
                ::unlink(entry.path().c_str());
            }
        }
    };
    forget("ports", [](const Attachment& attachment, const Definition& network) {
        return network.id + "_" + attachment.id;
    });
    forget("networks", [](const Attachment&, const Definition& network) { return network.id; });
}

} // namespace

std::string names_of_those_there(const std::string& text,
                                 const std::function<bool(const std::string& id)>& is_there) {
    std::string rest;
    unsigned found = 0;
    for (const std::string& line : split(text, '\n')) {
        const bool is_first = rest.empty(); // where aardvark-dns listens
        if (!line.empty() && (is_first || is_there(line.substr(0, line.find(' '))))) {
            rest += line + '\n';
            found += is_first ? 0 : 1;
        }
    }
    return found > 0 ? rest : "";
}

void forget_kept(const Attachment& gone) {
    const std::vector<Attachment> all = attached_but(gone);
    forget_rules(all);
    forget_names(all);
}

} // namespace sctr::network
