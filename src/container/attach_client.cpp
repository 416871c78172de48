// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/attach.hpp"
#include "container/init_process.hpp"
#include "linux/signals.hpp"
#include "linux/unix_socket.hpp"

namespace sctr::container {

namespace {

/// Finds the keys that detach in what is typed; what may be their beginning is held back until it
/// is known.
class DetachKeys {
  public:
    explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

    /// What of `typed` goes to the container; nothing once the keys are complete.
    std::optional<std::string> pass(std::string_view typed) {
        std::string out;
        for (const char letter : typed) {
            if (!keys_.empty() && letter == keys_[held_]) {
                if (++held_ == keys_.size()) {
                    return std::nullopt;
                }
                continue;
            }
            out.append(keys_, 0, held_);
            held_ = 0;
            if (!keys_.empty() && letter == keys_.front()) {
                held_ = 1;
            } else {
                out += letter;
            }
        }
        return out;
    }

  private:
    std::string keys_;
    std::size_t held_ = 0;
};

class Attached {
  public:
    Attached(const std::string& directory, const AttachOptions& options)
        : socket_(sys::connect_in(directory, attach_socket)), keys_(options.detach_keys),
          reads_(options.input), raw_(options.input ? STDIN_FILENO : -1) {
        tell_size();
    }

    AttachOutcome run() {
        while (!outcome_) {
            wait_for_event();
        }
        return *outcome_;
    }

  private:
    void wait_for_event() {
        std::array<struct pollfd, 3> items{{{socket_.get(), POLLIN, 0},
                                            {signals_.fd(), POLLIN, 0},
                                            {reads_ ? STDIN_FILENO : -1, POLLIN, 0}}};
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) {
            throw Error("cannot wait for the container").because(errno);
        }
        if (items[2].revents != 0) {
            read_caller();
        }
        if (items[1].revents != 0) {
            take_signals();
        }
        if (items[0].revents != 0) {
            read_container();
        }
    }

    void send(AttachKind kind, std::string_view bytes) {
        const std::string packet = static_cast<char>(kind) + std::string(bytes);
        ::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
    }

    void tell_size() {
        const sys::TerminalSize size = sys::terminal_size(STDIN_FILENO);
        if (size.rows == 0) {
            return;
        }
        const std::array<std::uint16_t, 2> numbers{size.rows, size.columns};
        send(AttachKind::size,
             {reinterpret_cast<const char*>(numbers.data()), sizeof numbers}); // NOLINT
    }

    void take_signals() {
        while (const auto signal = signals_.take()) {
            if (*signal == SIGWINCH) {
                tell_size();
            } else if (*signal == SIGTERM || *signal == SIGHUP || *signal == SIGINT) {
                outcome_ = {.detached = true};
            }
        }
    }

    void read_caller() {
        std::array<char, 4096> buffer{};
        const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size <= 0) {
            reads_ = size < 0 && (errno == EAGAIN || errno == EINTR);
            return;
        }
        const auto typed = keys_.pass({buffer.data(), static_cast<std::size_t>(size)});
        if (!typed) {
            outcome_ = {.detached = true};
        } else if (!typed->empty()) {
            send(AttachKind::input, *typed);
        }
    }

    void read_container() {
        std::array<char, std::size_t{32} * 1024> buffer{};
        const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (size <= 0) {
            throw Error("the container's supervisor is gone").mend("see 'sctr ps -a'");
        }
        const std::string_view bytes(buffer.data() + 1, static_cast<std::size_t>(size - 1));
        if (buffer[0] == static_cast<char>(AttachKind::output)) {
            write_out(bytes);
        } else if (buffer[0] == static_cast<char>(AttachKind::end)) {
            outcome_ = {.exit_status = static_cast<int>(parse_int(bytes).value_or(0))};
        }
    }

    void write_out(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
            if (written < 0 && errno == EAGAIN) {
                struct pollfd item{STDOUT_FILENO, POLLOUT, 0};
                ::poll(&item, 1, -1);
            } else if (written < 0 && errno != EINTR) {
                outcome_ = {.detached = true}; // nobody reads any more
                return;
            }
            bytes.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

    UniqueFd socket_;
    DetachKeys keys_;
    bool reads_;
    const sys::SignalQueue signals_;
    const sys::RawMode raw_;
    std::optional<AttachOutcome> outcome_;
};

} // namespace

AttachOutcome attach(const std::string& directory, const AttachOptions& options) {
    return Attached(directory, options).run();
}

} // namespace sctr::container
