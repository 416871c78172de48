// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "linux/process.hpp"
#include "plan/own_ids.hpp"

namespace sctr::storage {

/// What sctr-layer is to do.
struct LayerWork {
    std::vector<std::string> words;
    std::string text;        ///< its standard input, where `input` is none
    int input = -1;          ///< at 10 or above, as all that follow
    int output = -1;         ///< -1: what it prints is returned
    std::vector<int> passed; ///< become 3, 4, ...; -1: nothing there
    bool map_ids = true;     ///< of a plain user: in a user namespace with his ids
    /// Those of a container in which he is not root.
    std::optional<plan::KeptIds> kept;
};

/// What became of sctr-layer.
struct LayerEnd {
    int status = 0;             ///< as sys::Child::wait() has it
    std::optional<Error> error; ///< what it told of; nothing where it succeeded, or could not tell

    [[nodiscard]] bool is_success() const { return status == 0; }
};

/// sctr-layer at work. Killed when this goes.
class LayerProgram {
  public:
    explicit LayerProgram(const LayerWork& work);

    /// Readable when it has ended.
    [[nodiscard]] int pidfd() const { return child_.pidfd(); }

    /// Ends it, for wait() to tell.
    void kill();

    /// Waits for its end.
    LayerEnd wait();

    /// After wait(): all that it printed, NULs included. Throws Error.
    [[nodiscard]] std::string printed() const;

    /// Waits for its end and returns what it printed. Throws the Error that it tells of.
    std::string finish();

  private:
    UniqueFd out_;
    UniqueFd error_text_;
    sys::Child child_;
};

/// Runs sctr-layer, where files have the owners that containers see: as root, or in a user
/// namespace with this caller's ids. Returns what it prints, unless that goes to `output`. Throws
/// the Error that it tells of.
std::string
run_layer_program(const std::vector<std::string>& words, const std::string& input, int output = -1);

/// Removes trees whose files may belong to subordinate ids. Throws Error.
void remove_trees(const std::vector<std::string>& paths);

/// Whether layers and roots are those of a plain user, in whose user namespace they are mounted.
bool is_rootless();

} // namespace sctr::storage
