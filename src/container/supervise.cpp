// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/supervise.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <vector>

#include "base/strings.hpp"
#include "container/attach.hpp"
#include "container/cgroup_stats.hpp"
#include "container/health_watch.hpp"
#include "container/output_log.hpp"
#include "container/relay.hpp"
#include "linux/procfs.hpp"
#include "linux/terminal.hpp"
#include "network/connection.hpp"
#include "systemd/manager.hpp"
#include "systemd/notify.hpp"
#include "systemd/services.hpp"

namespace sctr::container {

namespace {

constexpr int signal_base = 128; // what a shell adds to the number of a signal that ended a command

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
        if (process.terminal().valid() && what.service) {
            attach_.emplace(std::move(process.terminal()), what.directory, what.output);
        } else if (process.terminal().valid()) {
            const int input = what.interactive ? STDIN_FILENO : -1;
            raw_.emplace(input);
            relay_.emplace(std::move(process.terminal()), input, STDOUT_FILENO);
            sys::set_terminal_size(relay_->master(), sys::terminal_size(STDIN_FILENO));
        }
        if (what.timeout) {
            kill_at_ = Clock::now() + *what.timeout;
        }
    }

    Outcome run() {
        if (what_.service && !what_.notifies && !what_.ready_when_healthy) {
            systemd::notify_ready();
        }
        while (!ended_) {
            wait_for_event();
        }
        if (oom_.fd() >= 0) {
            look_for_oom_kills();
        }
        if (attach_) {
            attach_->drain();
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
        outcome.unhealthy = unhealthy_;
        outcome.stopped =
            stopping_ && !unhealthy_ &&
            (outcome.exit_status == 0 || outcome.exit_status == signal_base + what_.stop_signal);
        if (relay_) {
            relay_->drain(signals_);
        }
        if (attach_) {
            attach_->finish(outcome.exit_status);
        }
        return outcome;
    }

  private:
    void wait_for_event() {
        std::vector<struct pollfd> items{{process_.child().pidfd(), POLLIN, 0},
                                         {signals_.fd(), POLLIN, 0},
                                         {oom_.fd(), POLLPRI, 0},
                                         {readiness_fd(), POLLIN, 0}};
        int timeout = earlier(ms_until(kill_at_), ms_until(abandon_at_));
        if (what_.manager != nullptr) {
            items.push_back({what_.manager->fd(), what_.manager->events(), 0});
            timeout = earlier(timeout, what_.manager->timeout_ms());
        }
        if (relay_) {
            relay_->add_to(items);
        }
        if (what_.output != nullptr) {
            what_.output->add_to(items);
            timeout = earlier(timeout, what_.output->timeout_ms());
        }
        if (attach_) {
            attach_->add_to(items);
        }
        if (what_.health != nullptr) {
            what_.health->add_to(items);
            timeout = earlier(timeout, what_.health->timeout_ms());
        }
        if (what_.network != nullptr) {
            what_.network->add_to(items);
            timeout = earlier(timeout, what_.network->timeout_ms());
        }
        if (::poll(items.data(), items.size(), timeout) < 0 && errno != EINTR) {
            throw Error("cannot wait for the container").because(errno);
        }
        act_on(items);
    }

    void act_on(const std::vector<struct pollfd>& items) {
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
        if (ms_until(abandon_at_) == 0) {
            abandon_scope();
        }
        if (relay_) {
            relay_->handle(items);
            if (relay_->hung_up()) {
                hang_up();
            }
        }
        if (what_.output != nullptr) {
            what_.output->handle(items);
        }
        if (attach_) {
            attach_->handle(items);
        }
        if (what_.health != nullptr) {
            look_after_health(items);
        }
        if (what_.network != nullptr && !ended_) {
            look_after_network(items);
        }
        if (kill_at_ && Clock::now() >= *kill_at_) {
            if (what_.timeout) {
                ::kill(-process_.child().pid(), SIGKILL); // it began a session
            }
            process_.child().signal(SIGKILL);
            kill_at_.reset();
        }
    }

    /// The kernel tells the processes of a terminal that goes, but we need not be among them. What
    /// is between two terminals passes it on: who reads there gets its end, who works there a
    /// signal.
    void hang_up() {
        process_.child().signal(SIGHUP);
        relay_.reset();
    }

    void look_after_network(const std::vector<struct pollfd>& items) {
        const auto said = what_.network->handle(items);
        if (said && what_.warn) {
            what_.warn(*said);
        }
    }

    void look_after_health(const std::vector<struct pollfd>& items) {
        const auto state = what_.health->handle(items);
        if (!state) {
            return;
        }
        if (state->health != what_.health->before() && what_.on_health) {
            what_.on_health(*state);
        }
        const bool waits = what_.ready_when_healthy && !ready_;
        if (state->health == Health::healthy && waits) {
            ready_ = true;
            systemd::notify_ready();
        } else if (state->health == Health::unhealthy && !stopping_) {
            end_unhealthy(*state, waits);
        } else if (waits) {
            extend_start();
        }
    }

    /// systemd would end a slow start by its own timeout, which knows nothing of the checks.
    void extend_start() const {
        constexpr auto margin = std::chrono::minutes(1);
        const auto& check = what_.health->check();
        std::chrono::microseconds longest = check.interval.value_or(margin) + check.timeout;
        if (check.startup) {
            longest = std::max(longest, check.startup->interval + check.startup->timeout);
        }
        systemd::notify_starting(longest + margin);
    }

    /// What has never been ready has failed, whatever is wanted of one that was.
    void end_unhealthy(const HealthState& state, bool is_starting) {
        const auto wanted = has_failed_startup(state) ? plan::OnUnhealthy::restart
                                                      : what_.health->check().on_unhealthy;
        if (is_starting) {
            std::string said = state.log.empty() ? "" : state.log.back().output;
            said.erase(said.find_last_not_of('\n') + 1);
            systemd::notify_status("the container is unhealthy" +
                                   (said.empty() ? "" : ": " + said));
        }
        switch (is_starting && wanted == plan::OnUnhealthy::none ? plan::OnUnhealthy::stop
                                                                 : wanted) {
        case plan::OnUnhealthy::none:
            return;
        case plan::OnUnhealthy::restart:
            if (!is_starting) {
                ask_for_restart();
                return;
            }
            break;
        case plan::OnUnhealthy::kill:
            unhealthy_ = true;
            process_.child().signal(SIGKILL);
            return;
        case plan::OnUnhealthy::stop:
            break;
        }
        unhealthy_ = true;
        begin_stop();
        kill_at_ = Clock::now() + stop_timeout();
    }

    /// systemd stops this service, and starts it again.
    void ask_for_restart() const {
        try {
            systemd::Services(systemd::own_instance()).request_restart(what_.service_unit);
        } catch (const Error&) {
            // Without systemd there is nobody to start it again: the next check asks anew.
        }
    }

    void look_for_oom_kills() {
        if (oom_.read() && what_.on_oom_kill) {
            what_.on_oom_kill();
        }
    }

    static int earlier(int one, int other) {
        return one < 0 ? other : (other < 0 ? one : std::min(one, other));
    }

    using Clock = std::chrono::steady_clock;

    /// For poll(2): -1 for never.
    static int ms_until(const std::optional<Clock::time_point>& when) {
        if (!when) {
            return -1;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*when - Clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    }

    [[nodiscard]] int readiness_fd() const {
        return what_.readiness == nullptr ? -1 : what_.readiness->fd();
    }

    void pass_signals_on() {
        while (const auto signal = signals_.take()) {
            if (*signal == sys::SignalQueue::directory_changed) {
                if (what_.on_directory_change) {
                    what_.on_directory_change();
                }
            } else if (*signal == SIGWINCH && relay_) {
                sys::set_terminal_size(relay_->master(), sys::terminal_size(STDIN_FILENO));
            } else if (*signal == SIGTERM && what_.service) {
                begin_stop();
            } else if (*signal != SIGPIPE) {
                process_.child().signal(*signal);
            }
        }
    }

    void obey_manager() {
        try {
            what_.manager->dispatch();
            if (what_.manager->stop_requested()) {
                begin_stop();
            }
        } catch (const Error&) {
            // A restart of the bus takes the connection away and not the container.
            what_.manager = nullptr;
            abandon_at_ = Clock::now();
        }
    }

    /// Nobody can ask us to stop the scope now, and systemd would wait for us until it kills. Tried
    /// until the bus is there again, and systemd on it.
    void abandon_scope() {
        constexpr systemd::Deadlines patience{.connect = std::chrono::seconds(2),
                                              .method = std::chrono::seconds(2)};
        abandon_at_.reset();
        try {
            systemd::Manager manager(systemd::own_instance(), patience);
            if (manager.abandon_scope(what_.unit)) {
                return;
            }
        } catch (const Error&) {
            // The next try is due below.
        }
        constexpr int tries = 60;
        if (++abandon_tries_ < tries) {
            abandon_at_ = Clock::now() + std::chrono::seconds(1);
        }
    }

    void begin_stop() {
        if (stopping_) {
            return;
        }
        stopping_ = true;
        if (what_.health != nullptr) {
            what_.health->stop();
        }
        if (what_.service) {
            // systemd would end a service by its own timeout, which knows nothing of ours.
            constexpr auto margin = std::chrono::seconds(20);
            const auto timeout = stop_timeout();
            systemd::notify_stopping(timeout + margin);
            kill_at_ = Clock::now() + timeout;
            thaw();
        }
        process_.child().signal(what_.stop_signal);
    }

    [[nodiscard]] std::chrono::microseconds stop_timeout() const {
        auto text = sys::read_small_file(what_.directory + "/" + stop_timeout_file);
        const auto asked = text ? parse_uint(*text) : std::nullopt;
        return asked ? std::chrono::microseconds(*asked) : what_.stop_timeout;
    }

    /// A frozen process takes no signal but SIGKILL.
    void thaw() {
        try {
            // Over a connection of its own: the other one may have been lost.
            systemd::Manager manager(systemd::own_instance());
            const auto status = manager.unit_status(what_.unit);
            if (status && status->freezer_state == "frozen") {
                manager.thaw_unit(what_.unit);
            }
        } catch (const Error&) {
            // Then SIGKILL ends it.
        }
    }

    InitProcess& process_;
    const sys::SignalQueue& signals_;
    Supervision what_;
    OomWatch oom_;
    std::optional<sys::RawMode> raw_;
    std::optional<TerminalRelay> relay_;
    std::optional<AttachPoint> attach_;
    std::optional<Clock::time_point> kill_at_;
    std::optional<Clock::time_point> abandon_at_; ///< since the bus was lost
    int abandon_tries_ = 0;
    bool ended_ = false;
    bool stopping_ = false;
    bool ready_ = false;     ///< where that is the health check's to say
    bool unhealthy_ = false; ///< it is being ended for that
};

} // namespace

Outcome supervise(InitProcess& process, const sys::SignalQueue& signals, const Supervision& what) {
    return Supervisor(process, signals, what).run();
}

} // namespace sctr::container
