// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace sctr::test {

/// A dbus-daemon of the test's own, which sctr takes for the system bus by
/// $DBUS_SYSTEM_BUS_ADDRESS. Lets everyone do everything.
class PrivateBus {
  public:
    /// `limits` is added to the configuration, as in dbus-daemon(1).
    explicit PrivateBus(const std::string& limits = "");
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;
    ~PrivateBus();

    /// Ends the daemon: all its connections break.
    void kill();

    [[nodiscard]] const std::string& address() const { return address_; }

  private:
    std::filesystem::path directory_;
    std::string address_;
    pid_t daemon_ = -1;
};

} // namespace sctr::test
