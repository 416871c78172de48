// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/health_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/error.hpp"
#include "container/engine.hpp"
#include "linux/clock.hpp"

namespace sctr::container {

namespace {

using std::chrono::microseconds;

/// What entering the container may take, which is no part of the check.
constexpr auto patience = std::chrono::seconds(10);

int ms_until(std::chrono::steady_clock::time_point end) {
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

bool is_ready(const std::vector<struct pollfd>& items, int fd) {
    return std::ranges::any_of(
        items, [fd](const struct pollfd& item) { return item.fd == fd && item.revents != 0; });
}

ExecOptions
options_of(const plan::HealthCheck& check, const Record& record, const oci::Spec& config) {
    ExecOptions options{.record = record, .config = config};
    options.process = config.process.value_or(oci::Process{});
    options.process.args = check.command;
    options.process.terminal = false;
    options.process.console_size.reset();
    options.timeout = check.timeout;
    return options;
}

/// In the child: never returns.
[[noreturn]] void run_check(const ExecOptions& options, int output) {
    int status = static_cast<int>(ExitCode::runtime_error);
    if (::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0) {
        try {
            status = exec(options);
        } catch (const Error& error) {
            ::dprintf(output, "%s\n", error.what());
            status = static_cast<int>(error.exit_code());
        }
    }
    ::_exit(status);
}

std::string duration_text(microseconds duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
           " ms";
}

} // namespace

HealthRun::HealthRun(const plan::HealthCheck& check, const Record& record, const oci::Spec& config)
    : timeout_(check.timeout), started_(Clock::now()) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0) {
        throw Error("cannot make a pipe").because(errno);
    }
    output_ = UniqueFd(ends[0]);
    const UniqueFd written(ends[1]);
    ::fcntl(written.get(), F_SETFL, 0); // the check may expect to be made to wait
    result_.start_usec = sys::now_usec();
    child_ =
        sys::fork_child(0, [&] { run_check(options_of(check, record, config), written.get()); });
}

void HealthRun::add_to(std::vector<struct pollfd>& items) const {
    items.push_back({child_.pidfd(), POLLIN, 0});
    if (output_.valid()) {
        items.push_back({output_.get(), POLLIN, 0});
    }
}

int HealthRun::timeout_ms() const {
    return ms_until(started_ + timeout_ + patience);
}

std::optional<HealthResult> HealthRun::handle(const std::vector<struct pollfd>& items) {
    if (is_ready(items, output_.get())) {
        read_output();
    }
    const bool ended = is_ready(items, child_.pidfd());
    if (!ended && timeout_ms() > 0) {
        return std::nullopt;
    }
    if (!ended) {
        child_.signal(SIGKILL);
    }
    while (read_output()) {
    }
    constexpr int killed = 128 + SIGKILL;
    result_.exit_status = child_.wait();
    result_.end_usec = sys::now_usec();
    if (result_.exit_status == killed && Clock::now() - started_ >= timeout_) {
        result_.output.resize(std::min(result_.output.size(), health_output_length / 2));
        result_.output +=
            "the check was killed: it took more than " + duration_text(timeout_) + "\n";
    }
    return std::move(result_);
}

/// False when there is no more for now. What is too much is read and dropped, so that the check
/// does not wait for ever.
bool HealthRun::read_output() {
    std::array<char, 4096> buffer{};
    const ssize_t size = output_.valid() ? ::read(output_.get(), buffer.data(), buffer.size()) : -1;
    if (size == 0) {
        output_.reset();
    }
    if (size <= 0) {
        return false;
    }
    const std::size_t room = health_output_length - result_.output.size();
    result_.output.append(buffer.data(), std::min(room, static_cast<std::size_t>(size)));
    return room > static_cast<std::size_t>(size);
}

HealthResult HealthRun::wait() {
    for (;;) {
        std::vector<struct pollfd> items;
        add_to(items);
        if (::poll(items.data(), items.size(), timeout_ms()) < 0 && errno != EINTR) {
            throw Error("cannot wait for the health check").because(errno);
        }
        if (auto result = handle(items)) {
            return *result;
        }
    }
}

HealthWatch::HealthWatch(const plan::HealthCheck& check,
                         Record record,
                         oci::Spec config,
                         std::string directory)
    : check_(check), record_(std::move(record)), config_(std::move(config)),
      directory_(std::move(directory)), is_starting_up_(check.startup.has_value()) {
    save_health(directory_, {.check = check_, .started_usec = sys::now_usec()});
    if (check_.interval || check_.startup) {
        next_ = Clock::now();
    }
}

void HealthWatch::add_to(std::vector<struct pollfd>& items) const {
    if (run_) {
        run_->add_to(items);
    }
}

int HealthWatch::timeout_ms() const {
    if (run_) {
        return run_->timeout_ms();
    }
    return next_ ? ms_until(*next_) : -1;
}

std::optional<HealthState> HealthWatch::handle(const std::vector<struct pollfd>& items) {
    try {
        if (!run_) {
            if (next_ && Clock::now() >= *next_) {
                begin_check();
            }
            return std::nullopt;
        }
        auto result = run_->handle(items);
        if (!result) {
            return std::nullopt;
        }
        run_.reset();
        auto [before, after] = store_check(directory_, std::move(*result));
        before_ = before.health;
        plan_next(after);
        return std::move(after);
    } catch (const Error&) {
        // The container must not end because the host has no memory or disk for a check of it.
        run_.reset();
        postpone();
        return std::nullopt;
    }
}

void HealthWatch::postpone() {
    if (next_ && (check_.interval || check_.startup)) {
        const bool is_startups = check_.startup && (is_starting_up_ || !check_.interval);
        next_ = Clock::now() + (is_startups ? check_.startup->interval : *check_.interval);
    }
}

void HealthWatch::begin_check() {
    if (current_status(record_) == Status::paused) {
        postpone();
        return;
    }
    const auto state = check_.startup ? load_health(directory_) : std::nullopt;
    run_.emplace(state ? due_check(*state) : check_, record_, config_);
}

void HealthWatch::plan_next(const HealthState& state) {
    if (!next_) {
        return; // stopped meanwhile
    }
    if (is_starting_up(state)) {
        next_ = Clock::now() + check_.startup->interval;
        return;
    }
    if (!check_.interval) {
        next_.reset(); // the rest are made by hand
        return;
    }
    if (std::exchange(is_starting_up_, false)) {
        next_ = Clock::now();
        return;
    }
    const bool in_start_period = state.health == Health::starting &&
                                 sys::now_usec() - state.started_usec < check_.start_period.count();
    next_ = Clock::now() + (in_start_period ? std::min(check_.start_interval, *check_.interval)
                                            : *check_.interval);
}

} // namespace sctr::container
