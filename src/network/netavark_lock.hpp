// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"
#include "network/state.hpp"

/// netavark takes no two calls at once: whoever runs it, or starts aardvark-dns, has this lock.
namespace sctr::network {

/// netavark's lock. The kernel gives it back when whoever has it is killed, but not what he has
/// started: netavark, nft and an aardvark-dns that begins may be at work still. So the file of the
/// lock has a byte while the lock is held, and who takes it and finds one ends them first.
class NetavarkLock {
  public:
    /// Of nobody.
    NetavarkLock() = default;
    /// Throws Error. Not valid where somebody else has it and there is no patience.
    explicit NetavarkLock(Patience patience);

    ~NetavarkLock() { reset(); }

    NetavarkLock(const NetavarkLock&) = delete;
    NetavarkLock& operator=(const NetavarkLock&) = delete;
    NetavarkLock(NetavarkLock&&) noexcept = default;
    NetavarkLock& operator=(NetavarkLock&& other) noexcept;

    [[nodiscard]] bool valid() const noexcept { return file_.valid(); }

    /// Gives it back, whoever else has got its fd with a fork.
    void reset() noexcept;

  private:
    UniqueFd file_;
};

/// An entry of the environment of all that is run with the lock, which tells them and what they run
/// from others' in /proc, also from those of a host below or above this one. Throws Error.
std::string netavark_mark();

/// Ends all that has the mark but the aardvark-dns that answers, and waits for their end. The
/// caller has the lock, and no netavark. Throws Error.
void end_what_netavark_left();

} // namespace sctr::network
