// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "linux/program.hpp"
#include "network/state.hpp"
#include "plan/network.hpp"

namespace sctr::network {

/// Where the container finds the host, and a resolver that asks the host's: pasta answers there.
inline constexpr const char* pasta_host = "169.254.1.2";
inline constexpr const char* pasta_resolver = "169.254.1.1";

/// The words of pasta(1) that connect the namespaces of `pid`. Pure.
std::vector<std::string> pasta_words(const std::string& program,
                                     const std::vector<plan::PublishedPort>& ports,
                                     const std::vector<std::string>& options,
                                     pid_t pid);

/// A pasta(1) that carries what the container sends and gets; it ends with this, and by itself when
/// the namespace is gone.
class Pasta {
  public:
    /// Throws Error.
    Pasta(const std::string& program,
          const std::vector<plan::PublishedPort>& ports,
          const std::vector<std::string>& options,
          pid_t pid);

    /// Waits until the container is connected. Throws Error with what it says.
    void await_ready();

  private:
    UniqueFd ready_; ///< pasta writes its pid there
    UniqueFd errors_;
    std::unique_ptr<sys::RunningProgram> program_;
};

} // namespace sctr::network
