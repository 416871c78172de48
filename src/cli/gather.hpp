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

/// What `update` needs: the devices that limits name.
RootfsFacts gather_limits(const LimitFlags& limits);

/// What `exec` needs: the account files below `root`, env files, the caller's environment.
RootfsFacts gather_process(const ProcessFlags& flags, const std::string& root);

} // namespace sctr::cli
