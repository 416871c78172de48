// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/state.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "host/caller.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"

namespace sctr::network {

namespace {

namespace fs = std::filesystem;
using sys::Durability;

constexpr const char* cannot_save = "cannot save the state of networks";
constexpr const char* cannot_read = "cannot read the state of networks";

std::string attached_root() {
    return state_root() + "/attached/";
}

std::string file_of(const std::string& container) {
    return attached_root() + container + ".json";
}

std::string leases_of(const std::string& network) {
    return state_root() + "/leases/" + network;
}

/// The name of the container that has an address; empty when nobody has it.
std::string owner_of(const std::string& path) {
    std::array<char, NAME_MAX + 1> text{};
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// False when somebody has it.
bool take(const std::string& directory, const Address& address, const std::string& container) {
    const std::string path = directory + "/" + address.text();
    if (::symlink(container.c_str(), path.c_str()) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        throw Error("cannot lease an address").at(path).because(errno);
    }
    return false;
}

/// The address that is asked for, when a container can have it.
Address parse_asked(const SubnetPlan& plan, const std::string& text, const Definition& network) {
    const auto address = Address::parse(text);
    if (!address || !plan.subnet.contains(*address) || *address == plan.subnet.base ||
        (!address->is_v6() && *address == plan.subnet.base.plus(plan.subnet.last_offset() + 1))) {
        throw Error("the address is none of the network's")
            .at(text)
            .because("network '" + network.name + "' has " + plan.subnet.text());
    }
    if (plan.gateway == address) {
        throw Error("the address is in use").at(text).because("it is the host's own there");
    }
    return *address;
}

Address take_asked(const std::string& directory,
                   const SubnetPlan& plan,
                   const std::string& text,
                   const Definition& network,
                   const std::string& container) {
    const Address address = parse_asked(plan, text, network);
    if (!take(directory, address, container)) {
        throw Error("the address is in use")
            .at(text)
            .because("the container '" + owner_of(directory + "/" + address.text()) + "' has it");
    }
    return address;
}

void remember(const std::string& last_file, std::uint64_t offset) {
    try {
        sys::replace_file(last_file, std::to_string(offset), 0600, Durability::memory, cannot_save);
    } catch (const Error&) {
        // A full disk, and then the next one looks from where we did.
    }
}

/// The one after that which was taken last, so that what has just been given back rests.
Address take_next(const std::string& directory,
                  const SubnetPlan& plan,
                  const Definition& network,
                  const std::string& container) {
    const std::string last_file = directory + (plan.subnet.base.is_v6() ? "/.last6" : "/.last");
    const std::uint64_t last = parse_uint(sys::read_small_file(last_file).value_or("")).value_or(0);
    constexpr std::uint64_t most_tries = 1 << 17;
    const Address& base = plan.subnet.base;
    const std::uint64_t first =
        plan.range ? std::max<std::uint64_t>(plan.range->first.minus(base), 1) : 1;
    const std::uint64_t end =
        plan.range ? std::min(plan.range->last.minus(base), plan.subnet.last_offset())
                   : plan.subnet.last_offset();
    std::uint64_t offset = last;
    for (std::uint64_t tries = first; tries <= std::min(end, first + most_tries); ++tries) {
        offset = offset >= end || offset < first ? first : offset + 1;
        const Address address = plan.subnet.base.plus(offset);
        if (plan.gateway != address && take(directory, address, container)) {
            remember(last_file, offset);
            return address;
        }
    }
    throw Error("no free address in the network")
        .at(network.name)
        .because("all of " +
                 (plan.range ? plan.range->first.text() + "-" + plan.range->last.text()
                             : plan.subnet.text()) +
                 " is in use");
}

void make_directory(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) {
        throw Error(cannot_save).at(path).because(error.value());
    }
}

bool has_lease(const std::vector<Attachment>& attachments,
               const std::string& network,
               const std::string& address,
               const std::string& container) {
    return std::ranges::any_of(attachments, [&](const Attachment& attachment) {
        return attachment.container == container &&
               std::ranges::any_of(attachment.networks, [&](const Attached& each) {
                   return each.network.name == network &&
                          std::ranges::contains(each.addresses, address, &Address::text);
               });
    });
}

} // namespace

std::string state_root() {
    const host::Caller& caller = host::caller();
    return (caller.is_system ? "/run" : host::runtime_directory(caller)) + "/sctr/.network";
}

UniqueFd lock_state() {
    const std::string root = state_root();
    make_directory(root);
    ::chmod(fs::path(root).parent_path().c_str(), 0711);
    ::chmod(root.c_str(), 0700);
    make_directory(root + "/attached");
    make_directory(root + "/leases");
    return take_lock("lock", Patience::wait);
}

UniqueFd take_lock(const std::string& name, Patience patience) {
    make_directory(state_root());
    const std::string path = state_root() + "/" + name;
    UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) {
        throw Error(cannot_save).at(path).because(errno);
    }
    const int operation = patience == Patience::wait ? LOCK_EX : LOCK_EX | LOCK_NB;
    while (::flock(lock.get(), operation) < 0) {
        if (errno != EINTR) {
            return {};
        }
    }
    return lock;
}

std::optional<Attachment> find_attachment(const std::string& container) {
    const auto text = sys::read_small_file(file_of(container));
    return text ? attachment_from_json(*text) : std::nullopt;
}

std::vector<Attachment> list_attachments(Unreadable unreadable) {
    std::vector<Attachment> found;
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(attached_root(), failure)) {
        if (entry.path().extension() != ".json") {
            continue; // being written
        }
        std::error_code none;
        if (auto attachment = find_attachment(entry.path().stem())) {
            found.push_back(std::move(*attachment));
        } else if (unreadable == Unreadable::error && fs::exists(entry.path(), none)) {
            throw Error(cannot_read).at(entry.path().string());
        }
    }
    if (failure && failure != std::errc::no_such_file_or_directory &&
        unreadable == Unreadable::error) {
        throw Error(cannot_read).at(attached_root()).because(failure.value());
    }
    std::ranges::sort(found, {}, &Attachment::container);
    return found;
}

void save_attachment(const Attachment& attachment) {
    sys::replace_file(
        file_of(attachment.container), to_json(attachment), 0600, Durability::memory, cannot_save);
}

void check_use(const Definition& network, const plan::NetworkUse& use) {
    for (const auto& [text, is_v6] : {std::pair(&use.ip, false), std::pair(&use.ip6, true)}) {
        const auto has_family = [is_v6](const SubnetPlan& plan) {
            return plan.subnet.base.is_v6() == is_v6;
        };
        if (!text->empty() && std::ranges::none_of(network.subnets, has_family)) {
            throw Error("the address is none of the network's")
                .at(*text)
                .because("network '" + network.name + "' has no subnet of IPv" +
                         (is_v6 ? "6" : "4"));
        }
    }
    for (const SubnetPlan& plan : network.subnets) {
        const std::string& asked = plan.subnet.base.is_v6() ? use.ip6 : use.ip;
        if (!asked.empty()) {
            static_cast<void>(parse_asked(plan, asked, network));
        }
    }
}

std::vector<Address>
lease(const Definition& network, const plan::NetworkUse& use, const std::string& container) {
    const std::string directory = leases_of(network.name);
    make_directory(directory);
    std::vector<Address> taken;
    check_use(network, use);
    try {
        for (const SubnetPlan& plan : network.subnets) {
            const std::string& asked = plan.subnet.base.is_v6() ? use.ip6 : use.ip;
            taken.push_back(asked.empty() ? take_next(directory, plan, network, container)
                                          : take_asked(directory, plan, asked, network, container));
        }
    } catch (const Error&) {
        release(network, taken, container);
        throw;
    }
    return taken;
}

void release(const Definition& network,
             const std::vector<Address>& addresses,
             const std::string& container) {
    for (const Address& address : addresses) {
        const std::string path = leases_of(network.name) + "/" + address.text();
        if (owner_of(path) == container) {
            ::unlink(path.c_str());
        }
    }
}

void forget_attachment(const Attachment& attachment) {
    for (const Attached& each : attachment.networks) {
        release(each.network, each.addresses, attachment.container);
    }
    ::unlink(file_of(attachment.container).c_str());
}

void forget_leases(const std::string& network) {
    std::error_code ignored;
    fs::remove_all(leases_of(network), ignored);
}

void release_orphans(const std::vector<Attachment>& attachments) {
    std::error_code none;
    for (const auto& network : fs::directory_iterator(state_root() + "/leases", none)) {
        for (const auto& entry : fs::directory_iterator(network.path(), none)) {
            const std::string owner = owner_of(entry.path());
            if (!owner.empty() &&
                !has_lease(
                    attachments, network.path().filename(), entry.path().filename(), owner)) {
                ::unlink(entry.path().c_str());
            }
        }
    }
}

} // namespace sctr::network
