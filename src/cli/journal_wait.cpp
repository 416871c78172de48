// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/journal_wait.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "linux/clock.hpp"

namespace sctr::cli {

namespace {

/// For poll(2): rounded up, so that the time has come when it returns.
int milliseconds_until(std::optional<std::int64_t> usec) {
    if (!usec) {
        return -1;
    }
    constexpr std::int64_t longest = 3'600'000;
    const std::int64_t left = *usec - sys::now_usec();
    return static_cast<int>(std::clamp<std::int64_t>((left + 999) / 1000, 0, longest));
}

} // namespace

Woken wait_for_entries(const systemd::JournalReader& journal,
                       int other,
                       std::optional<std::int64_t> until_usec) {
    for (;;) {
        std::array<struct pollfd, 3> items{
            {{journal.fd(), POLLIN, 0}, {other, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
        if (::poll(items.data(), items.size(), milliseconds_until(until_usec)) < 0 &&
            errno != EINTR) {
            throw Error("cannot wait for the journal").because(errno);
        }
        if (items[0].revents != 0) {
            journal.process();
            return Woken::by_entries;
        }
        if (items[1].revents != 0) {
            return Woken::by_other;
        }
        if ((items[2].revents & POLLERR) != 0) {
            return Woken::output_closed;
        }
        if (until_usec && sys::now_usec() >= *until_usec) {
            return Woken::by_time;
        }
    }
}

} // namespace sctr::cli
