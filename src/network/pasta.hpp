// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "linux/program.hpp"
#include "network/revival.hpp"
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
    /// `space` is the network namespace of `pid`, and outlives this. Throws Error.
    Pasta(std::string program,
          std::vector<plan::PublishedPort> ports,
          std::vector<std::string> options,
          pid_t pid,
          const UniqueFd& space);

    /// Waits until the container is connected. Throws Error with what it says.
    void await_ready();

    /// From then on, what its end is told by, and when handle() is to be called at the latest (-1:
    /// by that alone).
    void add_to(std::vector<struct pollfd>& items) const;
    [[nodiscard]] int timeout_ms() const;

    /// Where it has ended before the namespace, starts another one. Returns what a person should
    /// know: that it has, or that it does so no more.
    std::optional<Error> handle(const std::vector<struct pollfd>& items);

  private:
    void start();
    bool is_ready();
    std::string why_it_ended();
    std::optional<Error> start_again();
    std::optional<Error> ended(std::string why);

    std::string path_;
    std::vector<plan::PublishedPort> ports_;
    std::vector<std::string> options_;
    pid_t pid_;
    uid_t owner_; ///< of the process: the container's root, as long as the command does not run
    const UniqueFd& space_;
    UniqueFd ready_; ///< pasta writes its pid there
    UniqueFd errors_;
    std::unique_ptr<sys::RunningProgram> program_;
    std::string why_;                       ///< the last one has ended
    std::vector<Clock::time_point> starts_; ///< but the first
    std::optional<Clock::time_point> start_at_;
};

} // namespace sctr::network
