// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "container/criu_message.hpp"
#include "container/engine.hpp"
#include "oci/spec.hpp"

/// Saving a container's processes in files and bringing them back, by CRIU.
namespace sctr::container {

/// What checkpoint and restore share. The file descriptors and lists of `criu` are filled in later.
struct CriuFiles {
    std::string images; ///< directory
    std::string work;   ///< directory of the log; empty: the images' own
    criu::Options criu;
    int status_fd = -1; ///< gets a 0 byte when the server of lazy pages is ready
};

struct CheckpointOptions : CriuFiles {
    bool pre_dump = false; ///< memory alone, and the container goes on
    Warn warn;
};

/// Saves a container and forgets it, unless it is to go on. Throws Error; it goes on then.
void checkpoint(const RecordStore& store, const std::string& id, const CheckpointOptions& options);

struct RestoreOptions : CriuFiles {
    std::string state_root;
    std::string pid_file;
    std::string console_socket;
    bool detach = false;
    Warn warn;
};

/// Brings a container back, in a new scope; returns its exit status, or 0 at once when detached: it
/// is the caller's to reap then. Throws Error; nothing is left behind then.
int restore(const plan::Request& request, const RestoreOptions& options);

/// The mounts that CRIU cannot save, since they come from the host: the mount point in the
/// container (or at restore the source on the host), by the name that both agree on.
struct ExternalMount {
    std::string name;
    std::string target;
    std::string source;
};

std::vector<ExternalMount> external_mounts(const oci::Spec& config);

} // namespace sctr::container
