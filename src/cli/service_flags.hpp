// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/rootfs_facts.hpp"
#include "cli/run_flags.hpp"
#include "container/definition.hpp"
#include "plan/request.hpp"
#include "plan/service.hpp"

/// Between the command line of `run -d` and `create` and what is stored of it. Pure.
namespace sctr::cli {

/// What the flags say about the service. Throws Error for flags that a service, or a container in
/// the foreground, has no use for.
plan::ServiceOptions service_options(const RunFlags& flags);

/// What makes a service ready: that its command has been executed, what the command says itself,
/// or its health check.
enum class Readiness { executed, notified, healthy };

/// What --sdnotify says. Throws Error.
Readiness readiness(const RunFlags& flags);

/// What is stored: the flags, with the paths in them made absolute, and what they take from the
/// caller.
container::Definition
make_definition(const RunFlags& flags, const plan::Request& request, const RootfsFacts& facts);

/// A stored container's words, as after `sctr run`.
std::vector<std::string> words_of(const container::Definition& definition);

Caller caller_of(const container::Definition& definition);

} // namespace sctr::cli
