// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "network/address.hpp"
#include "network/definition.hpp"
#include "plan/network.hpp"

/// What is attached to networks now: /run/sctr/.network. All of it ends with the boot, as the
/// containers do.
///
///   lock              held while anything here is changed: for a moment, never while netavark runs
///   netavark.lock     held while netavark runs, which takes no two calls at once; whoever wants
///                     both takes this one first (netavark_lock.hpp)
///   attached/NAME     a container's part in its networks: all that it takes to undo it
///   leases/NET/IP     a link whose text is the name of the container that has the address
///   name-server-starts  when aardvark-dns was started again lately, of the monotonic clock
///   netavark/         what netavark and aardvark-dns remember
namespace sctr::network {

std::string state_root();

/// Takes the lock; makes the directories. Throws Error.
UniqueFd lock_state();

enum class Patience {
    wait,
    none, ///< an invalid fd when somebody else has it
};

/// Takes a lock of this file in the state's directory. Throws Error.
UniqueFd take_lock(const std::string& name, Patience patience);

/// A container in one network.
struct Attached {
    Definition network; ///< as it was then
    plan::NetworkUse use;
    std::string interface; ///< in the container
    std::vector<Address> addresses;
    std::string mac;

    bool operator==(const Attached&) const = default;
};

/// A process, which is another one when its number is used again.
struct Process {
    pid_t pid = 0;
    std::uint64_t start_time = 0;

    bool operator==(const Process&) const = default;
};

/// What a container's files of names are made of (naming.hpp).
struct Naming {
    plan::NameFiles files;
    std::string hostname;
    std::string directory; ///< of its record
    bool is_hosts = false; ///< it has the host's network
    bool is_pasta = false;
    std::vector<std::string> pasta_servers; ///< the host's, when pasta was started

    bool operator==(const Naming&) const = default;
};

/// A container's part in networks, written down before the first of it is made.
struct Attachment {
    std::string container;
    std::string id; ///< what netavark knows it by: 64 hexadecimal digits
    Process supervisor;
    Process init; ///< once it is there
    std::vector<Attached> networks;
    std::vector<plan::PublishedPort> ports;
    std::vector<std::string> servers; ///< that aardvark-dns asks in turn
    std::string zone;                 ///< of systemd-networkd; empty: none
    unsigned failed_undos = 0;        ///< how often it could not be taken back
    Naming naming;

    bool operator==(const Attachment&) const = default;
};

std::string to_json(const Attachment& attachment);
/// Nothing when the text is no attachment.
std::optional<Attachment> attachment_from_json(const std::string& text);

/// The container's; nothing when it has none.
std::optional<Attachment> find_attachment(const std::string& container);

/// What becomes of an attachment that is there and cannot be read.
enum class Unreadable { skip, error };

/// Those of all containers. Throws Error only where that is asked for.
std::vector<Attachment> list_attachments(Unreadable unreadable = Unreadable::skip);
/// Throws Error. The caller has the lock.
void save_attachment(const Attachment& attachment);

/// Throws Error where a network can give no container what is asked for.
void check_use(const Definition& network, const plan::NetworkUse& use);

/// Takes addresses of a network for a container: one of each subnet, those that are asked for or
/// the next that are free. Throws Error; nothing is taken then. The caller has the lock.
std::vector<Address>
lease(const Definition& network, const plan::NetworkUse& use, const std::string& container);

/// Gives addresses back that are the container's. The caller has the lock.
void release(const Definition& network,
             const std::vector<Address>& addresses,
             const std::string& container);

/// Forgets a network on which nobody is.
void forget_leases(const std::string& network);

/// Forgets an attachment and its leases. The caller has the lock.
void forget_attachment(const Attachment& attachment);

/// Gives back what no attachment has: of a container that was killed between the two. The caller
/// has the lock.
void release_orphans(const std::vector<Attachment>& attachments);

} // namespace sctr::network
