// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "fake_systemd.hpp"
#include "private_bus.hpp"
#include "systemd/manager.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string>

namespace sctr::test {

constexpr const char* unit = "sctr-web.scope";

/// Short enough for the cases in which nothing ever comes, long enough for a loaded machine where
/// something does.
constexpr systemd::Deadlines patient{.method = std::chrono::seconds(20),
                                     .job = std::chrono::seconds(20),
                                     .removal = std::chrono::seconds(20),
                                     .backoff = std::chrono::milliseconds(1)};
constexpr systemd::Deadlines hasty{.method = std::chrono::milliseconds(100),
                                   .job = std::chrono::milliseconds(100),
                                   .removal = std::chrono::milliseconds(50),
                                   .backoff = std::chrono::milliseconds(1)};

/// The job is answered and then done.
inline void do_job(FakeSystemd& fake, const sdbus::MethodCall& call, const StartCall& start) {
    fake.reply_job(call);
    fake.job_removed(FakeSystemd::job, start.unit, "done");
}

/// What `act` throws; nothing if it does not.
template <typename Act> std::optional<Error> error_of(Act act) {
    try {
        act();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

inline UniqueFd own_pidfd() {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
}

} // namespace sctr::test
