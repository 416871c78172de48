// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace sctr::container {

/// A tmpfs in this process's mount namespace that nobody else sees. What is mounted or made in it
/// lives on where it was cloned to.
class ScratchMount {
  public:
    ScratchMount() = default;
    ScratchMount(const ScratchMount&) = delete;
    ScratchMount& operator=(const ScratchMount&) = delete;

    /// Its root, mounted when first asked for. Throws Error.
    int directory();

    /// A name in it that nothing has.
    std::string new_name() { return std::to_string(count_++); }

    /// Takes it away, with all that is mounted in it. Throws Error.
    void detach();

  private:
    UniqueFd directory_;
    unsigned count_ = 0;
};

} // namespace sctr::container
