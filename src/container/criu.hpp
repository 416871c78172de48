// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "container/criu_message.hpp"
#include "linux/process.hpp"

/// The program criu, which saves and restores processes: `criu swrk`, one run for one request over
/// a socket that it inherits. It is looked for when it is needed.
namespace sctr::container::criu {

/// A running criu that waits for its request. Going out of scope kills and reaps it.
class Worker {
  public:
    /// `prepare` is called in it before criu runs. `inherited` become its fds from
    /// first_inherited on. Throws Error when the program is missing.
    Worker(const std::string& purpose,
           const std::function<void()>& prepare,
           const std::vector<int>& inherited);

    static constexpr int first_inherited = 4;

    [[nodiscard]] sys::Child& child() { return child_; }

    /// Is told of each notification, with the fd that came with it.
    using Notified = std::function<void(const Answer&, UniqueFd)>;

    /// Sends the request and waits for its answer. Throws Error that quotes the log in `log_path`.
    Answer ask(RequestKind kind,
               const Options& options,
               const std::string& log_path,
               const Notified& notified);

    /// What this kernel offers to it.
    Answer check_features();

  private:
    void send(const std::string& message) const;
    void await_end();
    std::pair<Answer, UniqueFd> receive() const;
    [[nodiscard]] Error failed(const std::string& why, const std::string& log_path) const;

    std::string purpose_; ///< "checkpoint the container", for messages
    UniqueFd socket_;
    sys::Child child_;
};

/// The file of CRIU options for this container: what its annotation org.criu.config names, else
/// sctr's or runc's own, if there is one.
std::string config_file(const std::map<std::string, std::string>& annotations);

/// CRIU reads and sets what only the host's root may: memory, pids, namespaces. Throws Error for a
/// plain user.
void require_root(const std::string& purpose);

/// A directory, made if it is missing. Throws Error.
UniqueFd open_directory(const std::string& path, const char* what);

} // namespace sctr::container::criu
