// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/attach.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "container/output_log.hpp"
#include "linux/unix_socket.hpp"

namespace sctr::container {

namespace {

constexpr std::size_t packet_size = 16384;
constexpr std::size_t input_limit = std::size_t{64} * 1024;
constexpr std::size_t client_limit = std::size_t{1024} * 1024;
constexpr std::size_t most_clients = 16;

short ready(const std::vector<struct pollfd>& items, int fd, short events) {
    for (const struct pollfd& item : items) {
        if (item.fd == fd) {
            return static_cast<short>(item.revents & (events | POLLHUP | POLLERR));
        }
    }
    return 0;
}

bool must_wait() {
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
}

} // namespace

AttachPoint::AttachPoint(UniqueFd master, const std::string& directory, OutputLog* log)
    : master_(std::move(master)), listener_(sys::listen_in(directory, attach_socket)), log_(log) {
    ::fcntl(master_.get(), F_SETFL, O_NONBLOCK);
    container_end_ = UniqueFd(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

void AttachPoint::add_to(std::vector<struct pollfd>& items) const {
    short events = 0;
    if (!closed_ && (log_ == nullptr || log_->takes_more())) {
        events |= POLLIN;
    }
    if (!closed_ && !to_container_.empty()) {
        events |= POLLOUT;
    }
    if (events != 0) {
        items.push_back({master_.get(), events, 0});
    }
    if (clients_.size() < most_clients) {
        items.push_back({listener_.get(), POLLIN, 0});
    }
    for (const Client& client : clients_) {
        const bool takes_input = to_container_.size() < input_limit;
        items.push_back({client.socket.get(),
                         static_cast<short>((takes_input ? POLLIN : 0) |
                                            (client.waiting.empty() ? 0 : POLLOUT)),
                         0});
    }
}

void AttachPoint::handle(const std::vector<struct pollfd>& items) {
    if (ready(items, master_.get(), POLLIN) != 0) {
        read_container();
    }
    if (ready(items, listener_.get(), POLLIN) != 0) {
        accept_client();
    }
    clients_.remove_if([&](Client& client) {
        return (ready(items, client.socket.get(), POLLIN) != 0 && !read_client(client)) ||
               !write_client(client);
    });
    write_container();
}

void AttachPoint::read_container() {
    std::array<char, packet_size> buffer{};
    const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
    if (size > 0) {
        const std::string bytes(buffer.data(), static_cast<std::size_t>(size));
        if (log_ != nullptr) {
            log_->add(bytes);
        }
        give(AttachKind::output, bytes);
    } else if (size == 0 || !must_wait()) {
        closed_ = true;
    }
}

void AttachPoint::accept_client() {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.valid()) {
        clients_.push_back({.socket = std::move(socket)});
    }
}

/// False when the client has gone.
bool AttachPoint::read_client(Client& client) {
    std::array<char, packet_size + 1> buffer{};
    const ssize_t size = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) {
        return size < 0 && must_wait();
    }
    const std::string bytes(buffer.data() + 1, static_cast<std::size_t>(size - 1));
    if (buffer[0] == static_cast<char>(AttachKind::input)) {
        to_container_ += bytes;
    } else if (buffer[0] == static_cast<char>(AttachKind::size) &&
               bytes.size() == 2 * sizeof(std::uint16_t)) {
        sys::TerminalSize wanted;
        std::memcpy(&wanted.rows, bytes.data(), sizeof wanted.rows);
        std::memcpy(&wanted.columns, bytes.data() + sizeof wanted.rows, sizeof wanted.columns);
        sys::set_terminal_size(master_.get(), wanted);
    }
    return true;
}

/// False when the client has gone.
bool AttachPoint::write_client(Client& client) {
    while (!client.waiting.empty()) {
        const std::string& packet = client.waiting.front();
        if (::send(client.socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
            return must_wait();
        }
        client.waiting_bytes -= packet.size();
        client.waiting.pop_front();
    }
    return true;
}

void AttachPoint::give(AttachKind kind, const std::string& bytes) {
    const std::string packet = static_cast<char>(kind) + bytes;
    clients_.remove_if([&](Client& client) {
        client.waiting.push_back(packet);
        client.waiting_bytes += packet.size();
        return !write_client(client) || client.waiting_bytes > client_limit;
    });
}

void AttachPoint::write_container() {
    if (to_container_.empty()) {
        return;
    }
    const ssize_t written = ::write(master_.get(), to_container_.data(), to_container_.size());
    if (written > 0) {
        to_container_.erase(0, static_cast<std::size_t>(written));
    } else if (written < 0 && !must_wait()) {
        to_container_.clear();
    }
}

void AttachPoint::drain() {
    while (!closed_) {
        struct pollfd item{master_.get(), POLLIN, 0};
        if (::poll(&item, 1, 0) <= 0) {
            return;
        }
        read_container();
    }
}

void AttachPoint::finish(int exit_status) {
    constexpr int patience_ms = 1000;
    give(AttachKind::end, std::to_string(exit_status));
    for (;;) {
        std::vector<struct pollfd> items;
        for (const Client& client : clients_) {
            if (!client.waiting.empty()) {
                items.push_back({client.socket.get(), POLLOUT, 0});
            }
        }
        if (items.empty() || ::poll(items.data(), items.size(), patience_ms) <= 0) {
            return;
        }
        clients_.remove_if([](Client& client) { return !write_client(client); });
    }
}

} // namespace sctr::container
