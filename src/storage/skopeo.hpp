// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "storage/store.hpp"

/// Images come and go through skopeo(1): registries, credentials, mirrors, signature policy and
/// archive formats are its own.
namespace sctr::storage {

struct TransferOptions {
    std::optional<std::string> platform;    ///< OS/ARCHITECTURE[/VARIANT]; nothing: this machine's
    std::optional<std::string> auth_file;   ///< as podman's --authfile
    std::optional<std::string> credentials; ///< USER:PASSWORD
    int retries = 0;                        ///< after failures that may be temporary
    std::optional<std::chrono::microseconds> retry_delay; ///< nothing: longer each time
    bool verify_tls = true;
    bool quiet = false;           ///< without skopeo's progress on stderr
    bool as_docker_saves = false; ///< to a directory: docker's manifest, layers not compressed
};

/// Copies the image at `source`, skopeo's name for a place ("docker://...", "oci-archive:..."),
/// into the store's blobs, which are unproven then, and returns its manifest. What is there already
/// is not fetched again. The caller holds the store's lock, shared. Throws Error with what skopeo
/// said.
std::string fetch(const Store& store, const std::string& source, const TransferOptions& options);

/// fetch() and publish_image(), where damaged blobs of an earlier fetch are fetched anew. Returns
/// the digest of the manifest.
std::string
take_image(const Store& store, const std::string& source, const TransferOptions& options);

/// Copies an image of the store to a place.
void send(const Store& store,
          const std::string& digest,
          const std::string& destination,
          const TransferOptions& options);

/// The id of the image at `source`, skopeo's name for a place; empty where skopeo finds none.
std::string image_id(const std::string& source);

/// Pulls by a name as people type it; returns the digest of the manifest. Whoever waits for another
/// that pulls the same takes what that one got. Throws Error.
std::string pull(const Store& store, const std::string& name, const TransferOptions& options);

} // namespace sctr::storage
