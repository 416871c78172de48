// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "container/record_store.hpp"
#include "plan/seccomp.hpp"

namespace sctr::container {

/// Compiled seccomp programs, kept from one start to the next: libseccomp takes longer for an
/// engine's default profile than all of sctr for a start.
///
/// One file a program in `.seccomp` below the state root, which is no container's name. A file is
/// named by a hash and holds the whole key, so that two filters never share a program. What is
/// damaged, of another build, or not the caller's own counts as missing and is replaced. The cache
/// never makes a start fail.
class SeccompCache {
  public:
    static constexpr std::size_t max_programs = 64; ///< beyond them the oldest go

    explicit SeccompCache(RecordStore store) : store_(std::move(store)) {}

    /// What plan::compile_seccomp gives or, from an earlier start, gave. Throws its Error.
    plan::SeccompStep operator()(const oci::Seccomp& seccomp) const;

    /// Where the programs are.
    [[nodiscard]] std::string directory() const { return store_.root() + "/.seccomp"; }

  private:
    RecordStore store_;
};

} // namespace sctr::container
