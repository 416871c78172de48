// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus.hpp"

#include "systemd/bus_error.hpp"

#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <format>
#include <thread>

namespace sctr::systemd {

namespace {

const sdbus::ServiceName service{"org.freedesktop.systemd1"};
const sdbus::ObjectPath manager_path{"/org/freedesktop/systemd1"};
const sdbus::InterfaceName manager_interface{"org.freedesktop.systemd1.Manager"};
const sdbus::InterfaceName scope_interface{"org.freedesktop.systemd1.Scope"};
const sdbus::InterfaceName properties_interface{"org.freedesktop.DBus.Properties"};
constexpr int connect_tries = 4;

BusAddress system_bus_address() {
    const char* address = ::secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    return {.text = address != nullptr ? address : "unix:path=/run/dbus/system_bus_socket"};
}

/// `su` leaves the address as it was.
bool leads_to_another(const host::Caller& caller, std::string_view address) {
    constexpr std::string_view scheme = "unix:path=";
    if (!address.starts_with(scheme)) {
        return false;
    }
    const std::string_view rest = address.substr(scheme.size());
    const std::string socket(rest.substr(0, rest.find_first_of(",;")));
    return host::is_of_another(caller, socket);
}

BusAddress user_bus_address() {
    const host::Caller& caller = host::caller();
    if (const char* address = ::secure_getenv("DBUS_SESSION_BUS_ADDRESS");
        address != nullptr && *address != '\0' && !leads_to_another(caller, address)) {
        return {.text = address};
    }
    // podman hands no D-Bus address on, and a bare `su` none at all.
    const std::string own = host::runtime_directory(caller);
    const std::string logins = host::logins_directory(caller);
    for (const std::string& directory : {own, logins}) {
        for (const bool is_direct : {false, true}) {
            const std::string socket = directory + (is_direct ? "/systemd/private" : "/bus");
            if (::access(socket.c_str(), F_OK) == 0) {
                return {.text = "unix:path=" + socket, .is_direct = is_direct};
            }
        }
    }
    return {.text = "unix:path=" + own + "/bus"};
}

/// Waits for the end of the handshake, for which sd-bus itself has no deadline of ours (90 s).
void finish_handshake(sd_bus* bus, Clock::time_point until) {
    while (::sd_bus_is_ready(bus) <= 0) {
        int result = ::sd_bus_process(bus, nullptr);
        if (result == 0) {
            const auto left = std::chrono::ceil<std::chrono::microseconds>(until - Clock::now());
            result = left.count() <= 0
                         ? -ETIMEDOUT
                         : ::sd_bus_wait(bus, static_cast<std::uint64_t>(left.count()));
        }
        if (result < 0 && result != -EINTR) {
            throw sdbus::createError(-result, "the handshake with the bus failed");
        }
    }
}

/// Where the handshake could not even begin, sdbus-c++ says why.
std::unique_ptr<sdbus::IConnection> open_bus(EarlyBus& early, const Deadlines& deadlines) {
    if (early.get() != nullptr) {
        finish_handshake(early.get(), Clock::now() + deadlines.connect);
        return sdbus::createBusConnection(early.release());
    }
    switch (early.instance()) {
    case Instance::system:
        return sdbus::createSystemBusConnection();
    case Instance::user: {
        const BusAddress address = user_bus_address();
        return address.is_direct ? sdbus::createDirectBusConnection(address.text)
                                 : sdbus::createSessionBusConnectionWithAddress(address.text);
    }
    }
    return nullptr;
}

/// A bus without room for one more connection of this user hangs up; why is in its log alone.
Error with_limit(const sdbus::Error& error, Error ours) {
    if (error.getName() == "org.freedesktop.DBus.Error.Disconnected" ||
        error.getName() == "System.Error.ECONNRESET" || is_overload(error)) {
        ours.mend("if `journalctl -u dbus` says that there are too many connections, raise "
                  "max_connections_per_user in /etc/dbus-1/system-local.conf");
    }
    return ours;
}

Error connect_error(Instance instance, const sdbus::Error& error, const Deadlines& deadlines) {
    const bool silent = error.getName() == "org.freedesktop.DBus.Error.Timeout";
    const bool absent = error.getName() == "org.freedesktop.DBus.Error.FileNotFound" ||
                        error.getName() == "System.Error.ENOENT" ||
                        error.getName() == "System.Error.ECONNREFUSED";
    switch (instance) {
    case Instance::system:
        if (absent) {
            return Error("no D-Bus system bus")
                .at(system_bus_address().text)
                .mend("install dbus, then `systemctl start dbus.socket`");
        }
        if (silent) {
            return Error("the D-Bus system bus does not answer")
                .at(system_bus_address().text)
                .because(ETIMEDOUT)
                .mend("see `systemctl status dbus`");
        }
        return with_limit(
            error,
            call_error(
                error, "cannot connect to the system bus", system_bus_address().text, deadlines));
    case Instance::user:
        if (absent) {
            return Error("no D-Bus bus of this user's systemd")
                .at(user_bus_address().text)
                .because("the user has no session, or no `systemd --user` in it")
                .mend("log in properly (not by su or sudo), or let root run `loginctl "
                      "enable-linger " +
                      std::to_string(host::caller().uid) +
                      "`; the package dbus-user-session is needed");
        }
        return call_error(
            error, "cannot connect to the user bus", user_bus_address().text, deadlines);
    }
    return Error("cannot connect to the bus");
}

std::unique_ptr<sdbus::IConnection> connect(EarlyBus& early, const Deadlines& deadlines) {
    for (int tries_left = connect_tries - 1;; --tries_left) {
        try {
            return open_bus(early, deadlines);
        } catch (const sdbus::Error& error) {
            // The bus caps the connections of a user, and its socket the waiting ones.
            if (!is_overload(error) || tries_left == 0) {
                throw connect_error(early.instance(), error, deadlines);
            }
        }
        std::this_thread::sleep_for(deadlines.backoff);
    }
}

} // namespace

BusAddress bus_address(Instance instance) {
    switch (instance) {
    case Instance::system:
        return system_bus_address();
    case Instance::user:
        return user_bus_address();
    }
    return {};
}

Bus::Bus(EarlyBus&& early, const Deadlines& deadlines)
    : deadlines_(deadlines), is_direct_(early.is_direct()), connection_(connect(early, deadlines)),
      manager_(sdbus::createProxy(*connection_, service, manager_path)) {}

sdbus::MethodCall Bus::manager_call(const char* method) const {
    return manager_->createMethodCall(manager_interface, sdbus::MethodName(method));
}

sdbus::MethodCall Bus::properties_call(const std::string& object_path, const char* method) {
    return sdbus::createProxy(*connection_, service, sdbus::ObjectPath(object_path))
        ->createMethodCall(properties_interface, sdbus::MethodName(method));
}

sdbus::MethodCall Bus::scope_call(const std::string& unit, const char* method) {
    return sdbus::createProxy(*connection_, service, sdbus::ObjectPath(unit_path(unit)))
        ->createMethodCall(scope_interface, sdbus::MethodName(method));
}

sdbus::MethodCall Bus::driver_call(const char* method) {
    return sdbus::createProxy(*connection_,
                              sdbus::ServiceName("org.freedesktop.DBus"),
                              sdbus::ObjectPath("/org/freedesktop/DBus"))
        ->createMethodCall(sdbus::InterfaceName("org.freedesktop.DBus"), sdbus::MethodName(method));
}

sdbus::MethodCall Bus::machined_call(const char* method) {
    return sdbus::createProxy(*connection_,
                              sdbus::ServiceName("org.freedesktop.machine1"),
                              sdbus::ObjectPath("/org/freedesktop/machine1"))
        ->createMethodCall(sdbus::InterfaceName("org.freedesktop.machine1.Manager"),
                           sdbus::MethodName(method));
}

sdbus::MethodReply Bus::call(const sdbus::MethodCall& message) {
    return manager_->callMethod(message, deadlines_.method);
}

sdbus::Slot Bus::send(const sdbus::MethodCall& message, sdbus::async_reply_handler on_reply) {
    return manager_->callMethodAsync(
        message, std::move(on_reply), deadlines_.method, sdbus::return_slot);
}

sdbus::Slot Bus::match(const std::string& rule, sdbus::message_handler on_signal) {
    // A rule that the bus refuses shows as a signal that never comes: every wait has a deadline.
    return connection_->addMatchAsync(
        rule, std::move(on_signal), [](const sdbus::Message&) {}, sdbus::return_slot);
}

void Bus::dispatch() {
    while (connection_->processPendingEvent()) {
    }
}

sdbus::IConnection::PollData Bus::poll_data() const {
    return connection_->getEventLoopPollData();
}

bool Bus::wait(Clock::time_point until, int also_fd) {
    const auto data = poll_data();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    if (const int bus_timeout = data.getPollTimeout(); bus_timeout >= 0) {
        timeout = std::min(timeout, bus_timeout);
    }
    // PollData::eventFd only wakes another thread's poll when this one sends: there is no other.
    std::array<pollfd, 2> fds{{{data.fd, data.events, 0}, {also_fd, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) {
        throw Error("cannot wait for systemd").because(errno);
    }
    return fds[1].revents != 0;
}

bool Bus::is_systemd(const std::string& sender) {
    auto message = driver_call("GetNameOwner");
    message << service;
    std::string owner;
    call(message) >> owner;
    return owner == sender;
}

std::string unit_path(std::string_view unit) {
    std::string path = "/org/freedesktop/systemd1/unit/";
    for (std::size_t i = 0; i < unit.size(); ++i) {
        const char c = unit[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (letter || (digit && i > 0)) {
            path += c;
        } else {
            path += std::format("_{:02x}", static_cast<unsigned char>(c));
        }
    }
    return path;
}

std::string manager_signal_rule(const char* member) {
    return std::format("type='signal',sender='{}',path='{}',interface='{}',member='{}'",
                       std::string_view(service),
                       std::string_view(manager_path),
                       std::string_view(manager_interface),
                       member);
}

} // namespace sctr::systemd
