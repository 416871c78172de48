// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/unique_fd.hpp"
#include "cli/rootfs_facts.hpp"
#include "cli/run_flags.hpp"
#include "container/record_store.hpp"
#include "storage/store.hpp"

/// The reading that comes before the pure building of a request.
namespace sctr::cli {

/// Reads what these flags need to know. Throws Error for what is missing or cannot be read: the
/// rootfs, an env file, the source of a bind mount, a device, a container to join. `caller` is
/// whose container it is, where that is not this process's caller; `image` what open_image() gave.
RootfsFacts gather(const RunFlags& flags,
                   const container::RecordStore& store,
                   const std::optional<storage::ImageUse>& image,
                   const Caller* caller = nullptr);

/// Of that, what networks and the files of names take (gather_network.cpp). Throws Error where what
/// is asked for by name is not installed.
void gather_network(const NetworkFlags& flags,
                    const container::RecordStore& store,
                    RootfsFacts& facts);

/// The root of a container, which is a directory as it is, or lies above one or above an image
/// (gather_store.cpp, as the next three).
void gather_root(const RunFlags& flags,
                 const std::optional<storage::ImageUse>& image,
                 RootfsFacts& facts);

void gather_volumes(const MountFlags& flags,
                    const container::RecordStore& records,
                    const Caller* caller,
                    RootfsFacts& facts);

/// The images to mount. They are in use until this process ends, which is not before the container.
void gather_images(const MountFlags& flags, RootfsFacts& facts);

/// A dry run shows none; those of a service to be are the service's.
void gather_secrets(const RunFlags& flags, bool for_later, RootfsFacts& facts);

/// Adds the variables that secrets give to the process of a container that runs, as of now: what
/// its config has not. One that is gone is left out, with a warning.
void add_secret_variables(oci::Spec& config, const container::Record& record);

/// The host's file of a time zone: of ZONE, or of the host's own for "local". Throws Error where
/// there is none.
std::string find_time_zone(const std::string& zone);

/// The device node at a path, or those below it (gather_devices.cpp).
std::vector<HostDevice> find_devices(const std::string& path);

/// Every device below a directory but those that each container has of its own.
std::vector<HostDevice> devices_below(const std::string& directory);

/// The texts of /etc/passwd and /etc/group below a root.
void gather_accounts(const std::string& root, RootfsFacts& facts);

/// Twelve hexadecimal digits.
std::string random_id();

/// What `update` needs: the devices that limits name.
RootfsFacts gather_limits(const LimitFlags& limits);

/// What `exec` needs: the account files below `root`, env files, the caller's environment.
RootfsFacts gather_process(const ProcessFlags& flags, const std::string& root);

} // namespace sctr::cli
