// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "network/definition.hpp"

namespace sctr::network {

/// The networks of this host: a file each below /var/lib/sctr/networks. The default one is there
/// once it has been used.
class NetworkStore {
  public:
    /// `fallback` holds what cannot be written to `root`, until the next boot; empty: nothing.
    explicit NetworkStore(std::string root, std::string fallback = "")
        : root_(std::move(root)), fallback_(std::move(fallback)) {}

    /// This user's.
    static NetworkStore own();

    [[nodiscard]] std::optional<Definition> find(const std::string& name) const;
    /// Throws Error when there is none of that name; makes the default one.
    [[nodiscard]] Definition load(const std::string& name) const;
    [[nodiscard]] std::vector<Definition> list() const; ///< sorted by name

    /// Fills in what is empty of name, id, interface and subnets, and stores it. The subnets meet
    /// neither each other, nor another network, nor a route of the host's. Throws Error.
    Definition create(Definition definition) const;

    /// Throws Error when there is none of that name. The caller has the lock of the state, and has
    /// seen that nobody is on it.
    void remove(const std::string& name) const;

  private:
    [[nodiscard]] UniqueFd lock() const;
    [[nodiscard]] Definition load_default() const;

    std::string root_;
    std::string fallback_;
};

/// Fills in what create() does. Pure. `taken` are the subnets of routes; `has_device` tells whether
/// the host has a network device of a name.
void complete(Definition& definition,
              const std::vector<Definition>& others,
              const std::vector<Subnet>& taken,
              const std::function<bool(const std::string&)>& has_device);

} // namespace sctr::network
