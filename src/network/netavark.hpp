// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "linux/program.hpp"
#include "network/programs.hpp"
#include "network/state.hpp"

/// netavark(1) makes bridges, veth pairs, addresses, routes and rules of the firewall, and tells
/// aardvark-dns of names.
namespace sctr::network {

/// What netavark reads: a container in its networks. Pure.
std::string netavark_options(const Attachment& attachment);

/// Why netavark failed, of what it wrote. Pure.
std::string netavark_error(const std::string& output, const std::string& errors);

enum class NetavarkVerb { setup, teardown };

/// Where other processes find a network namespace that this one has open.
std::string namespace_path(const UniqueFd& network_namespace);

/// A netavark that runs. Whoever starts it holds the lock of the state until it has ended.
class Netavark {
  public:
    /// `network_namespace` is a path that leads there from this process's mount namespace. Throws
    /// Error.
    Netavark(const Programs& programs,
             NetavarkVerb verb,
             const Attachment& attachment,
             const std::string& network_namespace);

    /// Waits for its end, and that of what it ran. Throws Error with what it says.
    void finish();

  private:
    NetavarkVerb verb_;
    UniqueFd input_;
    UniqueFd output_;
    UniqueFd errors_;
    std::unique_ptr<sys::RunningProgram> program_;
};

} // namespace sctr::network
