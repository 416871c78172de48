// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "linux/lent_terminal.hpp"

namespace sctr::systemd {

/// The one that asks on this process's terminal for the password of an administrator, where polkit
/// wants one for what this process asks of the system's manager: pkttyagent(1), as systemctl starts
/// it. Ends with its scope, and with this process; the terminal's echo, which it turns off and does
/// not always turn on again, is then as it was.
///
/// Does nothing, and throws nothing, where there is no terminal or no pkttyagent: then polkit asks
/// the agent of the desktop, if there is one, or refuses.
class PolkitAgent {
  public:
    PolkitAgent() noexcept;
    ~PolkitAgent();
    PolkitAgent(const PolkitAgent&) = delete;
    PolkitAgent& operator=(const PolkitAgent&) = delete;
    PolkitAgent(PolkitAgent&&) = delete;
    PolkitAgent& operator=(PolkitAgent&&) = delete;

  private:
    std::optional<sys::LentTerminal> terminal_;
};

} // namespace sctr::systemd
