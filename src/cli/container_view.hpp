// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "storage/helper.hpp"
#include "storage/root.hpp"
#include "storage/store.hpp"

namespace sctr::cli {

/// The files of a container as sctr-layer gets at them: through the root of one that runs, with all
/// that is mounted there, else through its layers. What holds them lasts as long as this.
class ContainerView {
  public:
    /// `write`: one that does not run is mounted for writing. Throws Error when there is none of
    /// that name.
    ContainerView(const std::string& name, bool write);
    /// The caller's own files.
    ContainerView() = default;

    /// Adds what sctr-layer needs to know to what it is to do.
    void add_to(storage::LayerWork& work) const;

  private:
    void open_running(const std::string& name);
    /// Volumes and directories of the host that a container has when it runs; with `write` volumes
    /// that are not there yet, too.
    void add_mounts(const std::string& name,
                    const storage::Store& store,
                    const std::vector<std::string>& layers,
                    bool write);
    void open_stored(const std::string& name, bool write);

    std::vector<std::string> words_{"host"};
    UniqueFd root_;
    UniqueFd user_namespace_;
    UniqueFd mount_namespace_;
    std::optional<storage::ImageUse> image_;
    std::optional<plan::KeptIds> kept_;
    std::optional<storage::ContainerRoot> lock_;
    std::vector<UniqueFd> volumes_;
};

} // namespace sctr::cli
