// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "network/name_server.hpp"
#include "network/netavark.hpp"
#include "network/netavark_lock.hpp"
#include "network/pasta.hpp"
#include "network/ports.hpp"
#include "network/state.hpp"
#include "plan/network.hpp"

namespace sctr::network {

/// Who is connected.
struct Who {
    std::string container;
    std::string hostname;
    std::string directory; ///< of its record
};

/// A container's connection to its networks, held by its supervisor. What of it outlives a killed
/// supervisor is swept by whoever comes next (sweep).
class Connection {
  public:
    /// One that is connected to nothing.
    Connection() = default;

    /// Takes addresses and ports, and writes the container's names into its directory. Throws
    /// Error; nothing is taken then.
    Connection(const plan::ContainerNetwork& wanted, const Who& who);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    Connection(Connection&&) = delete;
    Connection& operator=(Connection&&) = delete;

    /// Begins to connect the network namespace of `pid`; without waiting, since systemd's answer is
    /// to be taken meanwhile. Throws Error.
    void begin(pid_t pid);

    /// Waits until it is connected. Throws Error.
    void finish();

    /// Keeps the container's /etc/resolv.conf up to the host's, and names answered: to be called
    /// once it runs, and at each change that SignalQueue tells of.
    void follow_host();

    /// What tells of the end of programs that keep it connected, and when handle() is to be called
    /// at the latest (-1: by that alone).
    void add_to(std::vector<struct pollfd>& items) const;
    [[nodiscard]] int timeout_ms() const;

    /// Starts again what has ended of them. Returns what a person should know of it.
    std::optional<Error> handle(const std::vector<struct pollfd>& items);

    /// Gives everything back; the container may have ended. Throws Error for what stays, which the
    /// next sweep tries again.
    void end();

  private:
    void begin_netavark();

    bool is_open_ = false;
    bool has_begun_ = false; ///< there may be something that netavark has made
    Attachment attachment_;
    ReservedPorts ports_;
    plan::ContainerNetwork wanted_;
    NetavarkLock lock_; ///< while netavark runs
    pid_t pid_ = 0;     ///< whose network namespace it is
    UniqueFd network_namespace_;
    std::unique_ptr<Netavark> netavark_;
    std::unique_ptr<Pasta> pasta_;
    std::optional<NameServerWatch> name_server_;
    std::vector<UniqueFd> watched_; ///< directories in which the host's servers may change
};

/// Undoes what containers have left whose supervisor and first process are gone, and removes it
/// from the networks.
void sweep();

} // namespace sctr::network
