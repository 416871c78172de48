// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "systemd/early_bus.hpp"
#include "systemd/types.hpp"

#include <sdbus-c++/sdbus-c++.h>

#include <memory>
#include <string>
#include <string_view>

namespace sctr::systemd {

using Clock = std::chrono::steady_clock;

/// Where a service manager is spoken to.
struct BusAddress {
    std::string text;
    bool is_direct = false; ///< systemd's own socket, with no bus between
};

/// Where the buses listen, as sd-bus itself finds them. Where a user has no bus (Debian without
/// dbus-user-session), his systemd's own socket does as well.
BusAddress bus_address(Instance instance);

/// One connection to the bus of a service manager, driven by the caller's poll loop.
class Bus {
  public:
    Bus(EarlyBus&& early, const Deadlines& deadlines);

    [[nodiscard]] const Deadlines& deadlines() const noexcept { return deadlines_; }

    [[nodiscard]] sdbus::IConnection& connection() noexcept { return *connection_; }

    /// There is no bus between, and so nobody has a bus name: Controller makes no sense.
    [[nodiscard]] bool is_direct() const noexcept { return is_direct_; }

    /// A call of the manager object, to be filled and handed to call() or send().
    [[nodiscard]] sdbus::MethodCall manager_call(const char* method) const;

    /// Property calls of any object of systemd ("Get", "GetAll").
    [[nodiscard]] sdbus::MethodCall properties_call(const std::string& object_path,
                                                    const char* method);

    /// A call of a scope's own interface ("Abandon").
    [[nodiscard]] sdbus::MethodCall scope_call(const std::string& unit, const char* method);

    /// A call of the bus itself ("ListNames").
    [[nodiscard]] sdbus::MethodCall driver_call(const char* method);

    /// A call of systemd-machined, which is started by it if there is one.
    [[nodiscard]] sdbus::MethodCall machined_call(const char* method);

    /// Waits for the reply; throws sdbus::Error.
    sdbus::MethodReply call(const sdbus::MethodCall& message);

    /// Returns at once; the reply is handed over by dispatch() unless the slot is dropped before.
    [[nodiscard]] sdbus::Slot send(const sdbus::MethodCall& message,
                                   sdbus::async_reply_handler on_reply);

    /// Hands every signal that `rule` lets through to `on_signal`, by dispatch(). Does not wait
    /// for the bus: it treats what one client sends in order, so later calls find the rule there.
    [[nodiscard]] sdbus::Slot match(const std::string& rule, sdbus::message_handler on_signal);

    /// Handles all that has arrived; never blocks. Throws sdbus::Error when the connection is gone.
    void dispatch();

    /// Waits until there is something to dispatch, `until` has come or `also_fd` is readable;
    /// true for the last.
    bool wait(Clock::time_point until, int also_fd);

    /// For poll(2); throws sdbus::Error when the connection is gone.
    [[nodiscard]] sdbus::IConnection::PollData poll_data() const;

    /// Whether `sender` is the owner of systemd's bus name at this moment; asks the bus.
    [[nodiscard]] bool is_systemd(const std::string& sender);

  private:
    Deadlines deadlines_;
    bool is_direct_;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<sdbus::IProxy> manager_;
};

/// The object path of a unit. Source: sd_bus_path_encode(3).
[[nodiscard]] std::string unit_path(std::string_view unit);

/// A match rule for a signal of systemd's manager object. It does not name the unit: sd-bus cannot
/// match an argument that follows a number (JobRemoved), and reads a backslash in a rule as an
/// escape, which the bus does not.
[[nodiscard]] std::string manager_signal_rule(const char* member);

} // namespace sctr::systemd
