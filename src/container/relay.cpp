// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/relay.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace sctr::container {

namespace {

constexpr std::size_t buffer_limit = std::size_t{64} * 1024;

short ready(const std::vector<struct pollfd>& items, int fd, short events) {
    for (const struct pollfd& item : items) {
        if (item.fd == fd) {
            return static_cast<short>(item.revents & (events | POLLHUP | POLLERR));
        }
    }
    return 0;
}

} // namespace

TerminalRelay::TerminalRelay(UniqueFd master, int input, int output)
    : master_(std::move(master)), input_(input), output_(output),
      input_is_terminal_(input >= 0 && ::isatty(input) == 1),
      output_is_terminal_(::isatty(output) == 1) {
    ::fcntl(master_.get(), F_SETFL, O_NONBLOCK);
    container_end_ = UniqueFd(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

void TerminalRelay::add_to(std::vector<struct pollfd>& items) const {
    short master_events = 0;
    if (!closed_ && to_caller_.size() < buffer_limit) {
        master_events |= POLLIN;
    }
    if (!to_container_.empty()) {
        master_events |= POLLOUT;
    }
    if (!closed_ && master_events != 0) {
        items.push_back({master_.get(), master_events, 0});
    }
    if (input_ >= 0 && to_container_.size() < buffer_limit) {
        items.push_back({input_, POLLIN, 0});
    }
    if (!to_caller_.empty()) {
        items.push_back({output_, POLLOUT, 0});
    }
}

void TerminalRelay::handle(const std::vector<struct pollfd>& items) {
    if (ready(items, master_.get(), POLLIN) != 0) {
        read_container();
    }
    if (input_ >= 0 && ready(items, input_, POLLIN) != 0) {
        read_caller();
    }
    write_container();
    if (ready(items, output_, POLLOUT) != 0) {
        write_caller();
    }
}

void TerminalRelay::read_container() {
    std::array<char, 16384> buffer{};
    const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
    if (size > 0) {
        to_caller_.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        closed_ = true; // EIO: every process has closed its end
    }
}

void TerminalRelay::read_caller() {
    std::array<char, 16384> buffer{};
    const ssize_t size = ::read(input_, buffer.data(), buffer.size());
    if (size > 0) {
        to_container_.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (input_is_terminal_ && (size == 0 || errno == EIO)) {
        hung_up_ = true; // a terminal in raw mode has no other end
        input_ = -1;
    } else if (size == 0) {
        constexpr char end_of_file = 'D' & 0x1f; // what a terminal sends for ctrl-d
        to_container_ += end_of_file;
        input_ = -1;
    } else if (errno != EAGAIN && errno != EINTR) {
        input_ = -1;
    }
}

void TerminalRelay::write_caller() {
    // A ready pipe takes PIPE_BUF bytes without blocking, pipe(7); more might block.
    const std::size_t size = std::min<std::size_t>(to_caller_.size(), PIPE_BUF);
    const ssize_t written = ::write(output_, to_caller_.data(), size);
    if (written > 0) {
        to_caller_.erase(0, static_cast<std::size_t>(written));
    } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
        hung_up_ = hung_up_ || (output_is_terminal_ && errno == EIO);
        to_caller_.clear(); // nobody reads any more; the container goes on
    }
}

void TerminalRelay::write_container() {
    if (to_container_.empty()) {
        return;
    }
    const ssize_t written = ::write(master_.get(), to_container_.data(), to_container_.size());
    if (written > 0) {
        to_container_.erase(0, static_cast<std::size_t>(written));
    } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
        to_container_.clear();
    }
}

void TerminalRelay::drain(const sys::SignalQueue& signals) {
    std::array<char, 16384> buffer{};
    for (ssize_t size = 0; (size = ::read(master_.get(), buffer.data(), buffer.size())) > 0;) {
        to_caller_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    while (!to_caller_.empty()) {
        std::array<struct pollfd, 2> items{{{output_, POLLOUT, 0}, {signals.fd(), POLLIN, 0}}};
        const int result = ::poll(items.data(), items.size(), -1);
        if ((result < 0 && errno != EINTR) ||
            (items[1].revents != 0 && signals.take() != sys::SignalQueue::directory_changed)) {
            return;
        }
        if (items[0].revents != 0) {
            write_caller();
        }
    }
}

} // namespace sctr::container
