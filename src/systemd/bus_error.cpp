// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_error.hpp"

#include <array>
#include <cerrno>

namespace sctr::systemd {

namespace {

/// What a D-Bus error name means to our callers.
enum class Meaning {
    refused,
    needs_authentication,
    timed_out,
    disconnected,
    no_systemd,
    bad_property,
    other,
};

struct Named {
    std::string_view name;
    Meaning meaning;
};

constexpr std::array meanings{
    Named{"org.freedesktop.DBus.Error.AccessDenied", Meaning::refused},
    Named{"org.freedesktop.DBus.Error.AuthFailed", Meaning::refused},
    Named{"System.Error.EPERM", Meaning::refused},
    Named{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
          Meaning::needs_authentication},
    Named{"org.freedesktop.DBus.Error.Timeout", Meaning::timed_out},
    Named{"org.freedesktop.DBus.Error.TimedOut", Meaning::timed_out},
    Named{"System.Error.ETIMEDOUT", Meaning::timed_out},
    Named{"System.Error.ETIME", Meaning::timed_out},
    Named{"org.freedesktop.DBus.Error.NoReply", Meaning::disconnected},
    Named{"org.freedesktop.DBus.Error.Disconnected", Meaning::disconnected},
    Named{"System.Error.ECONNRESET", Meaning::disconnected},
    Named{"System.Error.ENOTCONN", Meaning::disconnected},
    Named{"System.Error.EPIPE", Meaning::disconnected},
    Named{"System.Error.ESHUTDOWN", Meaning::disconnected},
    Named{"org.freedesktop.DBus.Error.ServiceUnknown", Meaning::no_systemd},
    Named{"org.freedesktop.DBus.Error.NameHasNoOwner", Meaning::no_systemd},
    Named{"org.freedesktop.DBus.Error.UnknownProperty", Meaning::bad_property},
    Named{"org.freedesktop.DBus.Error.PropertyReadOnly", Meaning::bad_property},
    Named{"org.freedesktop.DBus.Error.InvalidArgs", Meaning::bad_property},
};

Meaning meaning_of(const sdbus::Error& error) {
    // The same name stands for a call that ran out of time and one whose receiver went away.
    if (error.getName() == "org.freedesktop.DBus.Error.NoReply" &&
        error.getMessage().contains("timed out")) {
        return Meaning::timed_out;
    }
    for (const Named& named : meanings) {
        if (named.name == error.getName()) {
            return named.meaning;
        }
    }
    return Meaning::other;
}

std::string_view job_failure(std::string_view result) {
    if (result == "failed") {
        return "systemd's job failed";
    }
    if (result == "timeout") {
        return "systemd's job timed out";
    }
    if (result == "canceled") {
        return "systemd's job was cancelled by another one";
    }
    if (result == "dependency") {
        return "a unit it depends on failed";
    }
    return {};
}

} // namespace

bool is_already_gone(const sdbus::Error& error) {
    return error.getName() == "org.freedesktop.systemd1.NoSuchUnit" ||
           error.getName() == "org.freedesktop.systemd1.NoSuchProcess" ||
           error.getName() == "System.Error.ESRCH";
}

bool is_overload(const sdbus::Error& error) {
    return error.getName() == "org.freedesktop.DBus.Error.LimitsExceeded" ||
           error.getName() == "System.Error.EAGAIN";
}

bool refuses_property(const sdbus::Error& error, std::string_view property) {
    return meaning_of(error) == Meaning::bad_property && error.getMessage().contains(property);
}

Error call_error(const sdbus::Error& error,
                 std::string what,
                 std::string_view where,
                 const Deadlines& deadlines) {
    Error ours(std::move(what));
    ours.at(where);
    switch (meaning_of(error)) {
    case Meaning::refused:
        return ours.because(EACCES)
            .because(error.getMessage().starts_with("Rejected send message")
                         ? "permission denied by the rules of the bus"
                         : "permission denied by systemd: " + error.getMessage())
            .mend("become root, or a member of the group sctr");
    case Meaning::needs_authentication:
        return ours.because(EACCES)
            .because("permission denied: polkit wants a password and has nobody to ask for it")
            .mend("call it on a terminal, or become root or a member of the group sctr");
    case Meaning::timed_out:
        if (deadlines.with_a_person) {
            return ours.because(ETIMEDOUT)
                .because("nobody answered polkit's question in time, or systemd is busy")
                .mend("try again");
        }
        return ours.because(ETIMEDOUT)
            .because(
                "systemd did not answer within " +
                std::to_string(std::chrono::ceil<std::chrono::seconds>(deadlines.method).count()) +
                " s")
            .mend("see `journalctl -b _PID=1`");
    case Meaning::disconnected:
        return ours.because(ECONNRESET)
            .because("the connection to systemd broke: " + error.getMessage());
    case Meaning::no_systemd:
        return ours.because("systemd is not on this bus: " + error.getMessage());
    case Meaning::bad_property:
        return ours.because(error.getMessage())
            .mend("the property may need a newer systemd, see `systemctl --version`");
    case Meaning::other:
        return ours.because(error.getMessage().empty() ? std::string(error.getName())
                                                       : error.getMessage());
    }
    return ours;
}

Error job_error(std::string_view result, std::string what, const std::string& unit) {
    const std::string_view known = job_failure(result);
    return Error(std::move(what))
        .at(unit)
        .because(known.empty() ? "systemd's job ended as \"" + std::string(result) + "\""
                               : std::string(known))
        .mend("see `systemctl status " + unit + "` and `journalctl -u " + unit + "`");
}

} // namespace sctr::systemd
