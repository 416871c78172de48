// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "cli/oci/engine.hpp"
#include "plan/request.hpp"

namespace sctr::cli::engine {

/// The flags that create and run share.
struct CreateFlags {
    std::optional<std::string> bundle;
    std::optional<std::string> config; ///< instead of BUNDLE/config.json
    std::optional<std::string> pid_file;
    std::optional<std::string> console_socket;
    std::optional<std::string> pidfd_socket;
    std::optional<std::string> preserve_fds;
    bool no_pivot = false;
    bool no_new_keyring = false;
};

/// Reads, validates and resolves a bundle: what is relative in its config.json is below its
/// directory. Throws Error.
plan::Request request_of_bundle(const CreateFlags& flags, const std::string& id);

/// The text of a JSON file that the engine names, or of stdin ("-"). Throws Error where it cannot
/// be read or is longer than any that is meant (oci::max_json_bytes).
std::string read_input(const std::string& file, const char* what_failed);

/// The bundle's directory, absolute.
std::string bundle_path(const CreateFlags& flags);

} // namespace sctr::cli::engine
