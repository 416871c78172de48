// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/network_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "host/caller.hpp"
#include "linux/clock.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "network/host_routes.hpp"
#include "network/state.hpp"

namespace sctr::network {

namespace {

namespace fs = std::filesystem;

constexpr const char* cannot_store = "cannot store the network";

std::string file_of(const std::string& root, const std::string& name) {
    return root + "/" + name + ".json";
}

std::optional<Definition> read_definition(const std::string& path) {
    const auto text = sys::read_small_file(path);
    if (!text) {
        return std::nullopt;
    }
    try {
        return definition_from_json(*text);
    } catch (Error& error) {
        throw error.at(path);
    }
}

bool has_device(const std::string& name) {
    return ::access(("/sys/class/net/" + name).c_str(), F_OK) == 0;
}

bool is_device_name(const std::string& name) {
    constexpr std::size_t longest = 15; // IFNAMSIZ without its end
    return !name.empty() && name.size() <= longest && is_host_name(name) && name != "." &&
           name != "..";
}

void check_subnet(const SubnetPlan& plan,
                  const std::vector<Definition>& others,
                  const std::vector<Subnet>& taken) {
    for (const Definition& other : others) {
        for (const SubnetPlan& theirs : other.subnets) {
            if (theirs.subnet.overlaps(plan.subnet)) {
                throw Error("the subnet is in use")
                    .at(plan.subnet.text())
                    .because("the network '" + other.name + "' has " + theirs.subnet.text());
            }
        }
    }
    const auto route = std::ranges::find_if(
        taken, [&](const Subnet& other) { return other.overlaps(plan.subnet); });
    if (route != taken.end()) {
        throw Error("the subnet is in use")
            .at(plan.subnet.text())
            .because("this host has a route to " + route->text());
    }
}

void add_gateway(SubnetPlan& plan) {
    if (plan.subnet.last_offset() < 2) {
        throw Error("the subnet is too small")
            .at(plan.subnet.text())
            .mend("it takes two addresses at least, as a /29 of IPv4 has");
    }
    if (!plan.gateway) {
        plan.gateway = plan.subnet.base.plus(1);
    }
}

} // namespace

void complete(Definition& definition,
              const std::vector<Definition>& others,
              const std::vector<Subnet>& taken,
              const std::function<bool(const std::string&)>& has_device) {
    std::vector<Subnet> avoided = taken;
    for (const Definition& other : others) {
        for (const SubnetPlan& theirs : other.subnets) {
            avoided.push_back(theirs.subnet);
        }
    }
    for (SubnetPlan& plan : definition.subnets) {
        if (plan.subnet.length == 0) {
            plan.subnet = free_subnet(avoided, plan.subnet.base.is_v6());
        } else {
            check_subnet(
                plan, others, definition.driver == "bridge" ? taken : std::vector<Subnet>());
        }
        avoided.push_back(plan.subnet);
        add_gateway(plan);
    }
    const auto is_free = [&](const std::string& name) {
        return !has_device(name) && !std::ranges::contains(others, name, &Definition::interface);
    };
    for (unsigned i = 0; definition.interface.empty(); ++i) {
        if (const std::string name = "sctr" + std::to_string(i); is_free(name)) {
            definition.interface = name;
        }
    }
    if (!is_device_name(definition.interface)) {
        throw Error("no network device can have this name").at(definition.interface);
    }
    if (definition.driver == "bridge" && !is_free(definition.interface)) {
        throw Error("the name of the bridge is in use").at(definition.interface);
    }
}

NetworkStore NetworkStore::own() {
    return NetworkStore(host::data_directory(host::caller()) + "/networks",
                        state_root() + "/networks");
}

UniqueFd NetworkStore::lock() const {
    sys::make_own_directory(fs::path(root_).parent_path(), 0755, cannot_store);
    sys::make_own_directory(root_, 0755, cannot_store);
    UniqueFd directory(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error(cannot_store).at(root_).because(errno);
    }
    while (::flock(directory.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
    return directory;
}

std::optional<Definition> NetworkStore::find(const std::string& name) const {
    check_network_name(name);
    auto found = read_definition(file_of(root_, name));
    if (!found && !fallback_.empty()) {
        found = read_definition(file_of(fallback_, name));
    }
    if (found && found->name != name) {
        throw Error("cannot read the network").at(name).because("its file is another one's");
    }
    return found;
}

Definition NetworkStore::load(const std::string& name) const {
    if (auto found = find(name)) {
        return std::move(*found);
    }
    if (name == default_network) {
        return load_default();
    }
    throw Error("there is no such network")
        .at(name)
        .mend("see 'sctr network ls'; 'sctr network create " + name + "' makes it");
}

Definition NetworkStore::load_default() const {
    Definition definition{.name = default_network, .subnets = {SubnetPlan{}}};
    try {
        return create(definition);
    } catch (const Error&) {
        if (auto found = find(default_network)) {
            return std::move(*found); // somebody else has made it meanwhile
        }
        if (fallback_.empty()) {
            throw;
        }
    }
    // A disk that is full must keep no container from running.
    return NetworkStore(fallback_).create(definition);
}

std::vector<Definition> NetworkStore::list() const {
    std::vector<Definition> found;
    for (const std::string& root : {root_, fallback_}) {
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(root, none)) {
            const std::string name = entry.path().stem();
            if (entry.path().extension() != ".json" ||
                std::ranges::contains(found, name, &Definition::name)) {
                continue;
            }
            if (auto definition = read_definition(entry.path()); definition) {
                found.push_back(std::move(*definition));
            }
        }
    }
    std::ranges::sort(found, {}, &Definition::name);
    return found;
}

Definition NetworkStore::create(Definition definition) const {
    check_network_name(definition.name);
    const UniqueFd locked = lock();
    if (find(definition.name)) {
        throw Error("the name is in use")
            .at(definition.name)
            .because("there is a network of that name");
    }
    complete(definition, list(), host_subnets(), has_device);
    std::array<char, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error(cannot_store).because(errno);
    }
    definition.id = Sha256::of({bytes.data(), bytes.size()});
    definition.created_usec = sys::now_usec();
    sys::replace_file(file_of(root_, definition.name),
                      to_json(definition),
                      0644,
                      sys::Durability::disk,
                      cannot_store);
    return definition;
}

void NetworkStore::remove(const std::string& name) const {
    (void)load(name);
    const UniqueFd locked = lock();
    for (const std::string& root : {root_, fallback_}) {
        if (::unlink(file_of(root, name).c_str()) < 0 && errno != ENOENT && !root.empty()) {
            throw Error("cannot remove the network").at(name).because(errno);
        }
    }
    sys::sync_directory(root_);
    forget_leases(name);
}

} // namespace sctr::network
