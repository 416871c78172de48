// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/supervise.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <vector>

#include "container/cgroup_stats.hpp"
#include "container/output_log.hpp"
#include "container/relay.hpp"
#include "linux/terminal.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

namespace {

/// Counts the OOM kills of a cgroup. systemd removes the cgroup as soon as it is empty, and the
/// file with it, so the count is read when the kernel announces a change, while the victim dies.
class OomWatch {
  public:
    explicit OomWatch(const std::string& path)
        : events_(path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

    [[nodiscard]] int fd() const { return events_.get(); }

    /// Returns true when there was a kill since the last time.
    bool read() {
        const std::uint64_t before = kills_;
        std::array<char, 512> buffer{};
        const ssize_t size = ::pread(events_.get(), buffer.data(), buffer.size(), 0);
        if (size <= 0) {
            events_.reset(); // the cgroup is gone
            return false;
        }
        kills_ = oom_kills({buffer.data(), static_cast<std::size_t>(size)});
        return kills_ > before;
    }

    [[nodiscard]] bool killed() const { return kills_ > 0; }

  private:
    UniqueFd events_;
    std::uint64_t kills_ = 0;
};

class Supervisor {
  public:
    Supervisor(InitProcess& process, const sys::SignalQueue& signals, const Supervision& what)
        : process_(process), signals_(signals), what_(what), oom_(what.memory_events) {
        if (process.terminal().valid()) {
            const int input = what.interactive ? STDIN_FILENO : -1;
            raw_.emplace(input);
            relay_.emplace(std::move(process.terminal()), input, STDOUT_FILENO);
            sys::set_terminal_size(relay_->master(), sys::terminal_size(STDIN_FILENO));
        }
    }

    Outcome run() {
        while (!ended_) {
            wait_for_event();
        }
        if (oom_.fd() >= 0) {
            look_for_oom_kills();
        }
        if (what_.output != nullptr) {
            what_.output->finish();
        }
        if (readiness_fd() >= 0) {
            what_.readiness->forward(0); // its last words
        }
        Outcome outcome;
        outcome.exit_status = process_.child().wait();
        outcome.oom_killed = process_.child().was_killed() && oom_.killed();
        if (relay_) {
            relay_->drain(signals_.fd());
        }
        return outcome;
    }

  private:
    void wait_for_event() {
        std::vector<struct pollfd> items{{process_.child().pidfd(), POLLIN, 0},
                                         {signals_.fd(), POLLIN, 0},
                                         {oom_.fd(), POLLPRI, 0},
                                         {readiness_fd(), POLLIN, 0}};
        int timeout = -1;
        if (what_.manager != nullptr) {
            items.push_back({what_.manager->fd(), what_.manager->events(), 0});
            timeout = what_.manager->timeout_ms();
        }
        if (relay_) {
            relay_->add_to(items);
        }
        if (what_.output != nullptr) {
            what_.output->add_to(items);
        }
        if (::poll(items.data(), items.size(), timeout) < 0 && errno != EINTR) {
            throw Error("cannot wait for the container").because(errno);
        }
        ended_ = items[0].revents != 0;
        if (items[1].revents != 0) {
            pass_signals_on();
        }
        if ((items[2].revents & POLLPRI) != 0) {
            look_for_oom_kills();
        }
        if (items[3].revents != 0) {
            what_.readiness->forward(0);
        }
        if (what_.manager != nullptr) {
            obey_manager();
        }
        if (relay_) {
            relay_->handle(items);
        }
        if (what_.output != nullptr) {
            what_.output->handle(items);
        }
    }

    void look_for_oom_kills() {
        if (oom_.read() && what_.on_oom_kill) {
            what_.on_oom_kill();
        }
    }

    [[nodiscard]] int readiness_fd() const {
        return what_.readiness == nullptr ? -1 : what_.readiness->fd();
    }

    void pass_signals_on() {
        while (const auto signal = signals_.take()) {
            if (*signal == SIGWINCH && relay_) {
                sys::set_terminal_size(relay_->master(), sys::terminal_size(STDIN_FILENO));
            } else if (*signal != SIGPIPE) {
                process_.child().signal(*signal);
            }
        }
    }

    void obey_manager() {
        try {
            what_.manager->dispatch();
            if (!stopping_ && what_.manager->stop_requested()) {
                stopping_ = true;
                process_.child().signal(what_.stop_signal);
            }
        } catch (const Error&) {
            // A restart of the bus takes the connection away and not the container: systemd then
            // sends the stop signal itself.
            what_.manager = nullptr;
        }
    }

    InitProcess& process_;
    const sys::SignalQueue& signals_;
    Supervision what_;
    OomWatch oom_;
    std::optional<sys::RawMode> raw_;
    std::optional<TerminalRelay> relay_;
    bool ended_ = false;
    bool stopping_ = false;
};

} // namespace

Outcome supervise(InitProcess& process, const sys::SignalQueue& signals, const Supervision& what) {
    return Supervisor(process, signals, what).run();
}

} // namespace sctr::container
