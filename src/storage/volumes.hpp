// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/volume.hpp"
#include "storage/store.hpp"

/// Volumes: directories that outlive the containers that use them (docs/storage.md).
namespace sctr::storage {

struct Volume {
    std::string name;
    std::int64_t created_usec = 0; ///< CLOCK_REALTIME
    std::map<std::string, std::string> labels;
    std::string owner;    ///< seed of the container whose anonymous volume it is; empty: named
    bool discard = false; ///< goes with that container's end
};

std::string volumes_directory(const Store& store);
/// What a container sees of it.
std::string volume_data(const Store& store, const std::string& name);

bool has_volume(const Store& store, const std::string& name);
/// Throws Error when there is none of that name.
Volume load_volume(const Store& store, const std::string& name);
std::vector<Volume> list_volumes(const Store& store); ///< sorted by name

/// Makes an empty volume, on disk when this returns. Throws Error, also when the name is taken.
void create_volume(const Store& store, const Volume& volume);

/// Throws Error when there is none of that name, or a container uses it.
void remove_volume(const Store& store, const std::string& name);

/// For whoever reads or changes its content. As long as it lives the volume stays.
UniqueFd hold_volume(const Store& store, const std::string& name);

/// Makes what is missing of the volumes of a container, fills those that are new and empty with
/// what `layers` (the uppermost first) have there. As long as the result lives the volumes stay.
/// Anonymous ones of the owner `discarded` are marked to go with their container. Throws Error;
/// those are gone then.
std::vector<UniqueFd> prepare_volumes(const Store& store,
                                      const std::vector<plan::VolumeUse>& uses,
                                      const std::vector<std::string>& layers,
                                      const std::string& discarded);

/// Removes a container's anonymous volumes; those that others use stay.
void remove_volumes_of(const Store& store, const std::string& owner);

/// Removes anonymous volumes whose container was to take them with it, and could not. What is used
/// stays. The caller has the store's exclusive lock.
void sweep_volumes(const Store& store);

} // namespace sctr::storage
