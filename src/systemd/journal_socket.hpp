// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "base/unique_fd.hpp"

namespace sctr::systemd {

/// Where entries are given to journald. Never blocks.
class JournalSocket {
  public:
    /// Throws Error when there is no journald on this host.
    JournalSocket();

    /// Gives an entry (as JournalEntry encodes it) to journald; false when it takes none now, and
    /// fd() says when it does (POLLOUT), or is -1 where there is no journald: then try again later.
    /// What it refuses for good is lost.
    ///
    /// With `sender`, journald takes the entry for that process's, and so for its unit's. That is
    /// for those with CAP_SYS_ADMIN (unix(7), SCM_CREDENTIALS); for others it stays their own.
    bool send(const std::string& entry, pid_t sender = 0);

    /// Waits until journald has dealt with all that was sent, and so needs the senders no more.
    void wait_until_read(std::chrono::milliseconds patience);

    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    enum class Sent { yes, later, too_large, lost_connection, refused };

    [[nodiscard]] Sent try_send(const std::string& entry, int file, pid_t sender) const;
    [[nodiscard]] bool connect();

    UniqueFd socket_;
    bool may_name_others_;
};

/// Takes journald's rate limit from a unit of the system manager, as LogRateLimitIntervalSec=0 does
/// for a service; a scope has no such setting. Where it cannot, journald's limit stays.
void lift_log_rate_limit(const std::string& unit) noexcept;

/// Takes that back.
void restore_log_rate_limit(const std::string& unit) noexcept;

} // namespace sctr::systemd
