// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/name_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/find_program.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/programs.hpp"

namespace sctr::network {

namespace {

constexpr int start_seconds = 10;

std::string pid_file() {
    return name_server_directory() + "/aardvark.pid";
}

/// Of all supervisors: when one of them has started it, oldest first.
std::string starts_file() {
    return state_root() + "/name-server-starts";
}

/// Those that count still.
std::vector<Clock::time_point> earlier_starts(Clock::time_point now) {
    std::vector<Clock::time_point> starts;
    for (const std::string& word : words_of(sys::read_small_file(starts_file()).value_or(""))) {
        const Clock::time_point start{std::chrono::milliseconds(parse_uint(word).value_or(0))};
        if (now - start < revival_window) {
            starts.push_back(start);
        }
    }
    return starts;
}

void write_starts(const std::vector<Clock::time_point>& starts) {
    std::string text;
    for (const Clock::time_point start : starts) {
        const auto since = start.time_since_epoch();
        text += std::to_string(std::chrono::floor<std::chrono::milliseconds>(since).count()) + '\n';
    }
    sys::replace_file(
        starts_file(), text, 0600, sys::Durability::memory, "cannot save the state of networks");
}

bool is_ready(const std::vector<struct pollfd>& items, int fd) {
    return std::ranges::any_of(
        items, [fd](const struct pollfd& item) { return item.fd == fd && item.revents != 0; });
}

} // namespace

bool asks_name_server(const Attachment& attachment) {
    return std::ranges::any_of(attachment.networks, [](const Attached& each) {
        return each.network.dns && each.network.driver == "bridge";
    });
}

std::string name_server_directory() {
    return state_root() + "/netavark/aardvark-dns";
}

std::optional<pid_t> name_server_pid() {
    const auto words = words_of(sys::read_small_file(pid_file()).value_or(""));
    const auto pid = words.empty() ? std::nullopt : parse_uint(words.front());
    const auto comm = sys::read_small_file("/proc/" + std::to_string(pid.value_or(0)) + "/comm");
    // A zombie has its name still.
    const bool lives =
        comm == "aardvark-dns\n" && sys::process_start_time(static_cast<pid_t>(*pid)).has_value();
    return lives ? std::optional(static_cast<pid_t>(*pid)) : std::nullopt;
}

UniqueFd name_server() {
    const auto pid = name_server_pid();
    UniqueFd server(pid ? sys::pidfd_open(*pid) : -1);
    return name_server_pid() == pid ? std::move(server) : UniqueFd();
}

void forget_dead_name_server() {
    if (!name_server_pid()) {
        ::unlink(pid_file().c_str());
    }
}

NameServerWatch::NameServerWatch(std::string container)
    : container_(std::move(container)), why_("it ends again and again"), server_(name_server()) {
    if (!server_.valid()) {
        look_again({});
    }
}

NameServerWatch::~NameServerWatch() {
    if (!starting_) {
        return;
    }
    starting_.reset();
    try {
        end_what_netavark_left();
    } catch (const Error&) {
        return; // the lock's file is gone, and so whoever would wait for it
    }
}

void NameServerWatch::add_to(std::vector<struct pollfd>& items) const {
    if (server_.valid()) {
        items.push_back({server_.get(), POLLIN, 0});
    }
    if (starting_) {
        items.push_back({starting_->pidfd(), POLLIN, 0});
    }
}

int NameServerWatch::timeout_ms() const {
    return ms_until(look_at_);
}

std::optional<Error> NameServerWatch::handle(const std::vector<struct pollfd>& items) {
    if (server_.valid() && is_ready(items, server_.get())) {
        server_.reset();
        look_again({});
    }
    const bool is_due = ms_until(look_at_) == 0;
    if (starting_) {
        return is_due || is_ready(items, starting_->pidfd()) ? finish_start() : std::nullopt;
    }
    return is_due ? look() : std::nullopt;
}

std::optional<Error> NameServerWatch::look() {
    look_at_.reset();
    server_ = name_server();
    if (server_.valid()) {
        is_given_up_ = false;
        return std::nullopt;
    }
    if (is_given_up_) {
        look_again(std::chrono::minutes(1)); // netavark may start it for another container
        return std::nullopt;
    }
    std::optional<Error> said;
    try {
        lock_ = NetavarkLock(Patience::none);
        if (lock_.valid()) {
            said = start();
        } else {
            look_again(std::chrono::seconds(1)); // whoever has it may be starting it
        }
    } catch (const Error& error) {
        said = give_up(error.what());
    }
    if (!starting_) {
        lock_.reset();
    }
    return said;
}

/// The caller has netavark's lock, without which nobody starts it.
std::optional<Error> NameServerWatch::start() {
    server_ = name_server();
    const auto attachment = find_attachment(container_);
    if (server_.valid() || !attachment || !asks_name_server(*attachment)) {
        return std::nullopt;
    }
    const auto now = Clock::now();
    auto starts = earlier_starts(now);
    const auto when = next_revival(starts, now);
    if (when && *when > now) {
        look_at_ = when;
        return std::nullopt;
    }
    const bool is_said = starts.size() > most_revivals;
    if (!is_said) {
        starts.push_back(now);
        write_starts(starts);
    }
    if (!when) {
        auto said = give_up(why_);
        return is_said ? std::nullopt : std::optional(std::move(said));
    }
    errors_ = sys::memory_file("aardvark-errors");
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const std::string path = sys::find_program("systemd-run");
    // As netavark does: in a scope of its own it outlives this container.
    starting_ = std::make_unique<sys::RunningProgram>(
        sys::Program{.path = path,
                     .args = {path,
                              "--quiet",
                              "--scope",
                              find_programs().aardvark,
                              "--config",
                              name_server_directory(),
                              "-p",
                              "53",
                              "run"},
                     .env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                             netavark_mark()},
                     .directory = "/",
                     .standard = {null.get(), null.get(), errors_.get()}});
    look_again(std::chrono::seconds(start_seconds));
    return std::nullopt;
}

std::optional<Error> NameServerWatch::finish_start() {
    starting_->wait(start_seconds, -1);
    const sys::ProgramEnd end = starting_->end();
    const std::string errors =
        sys::read_small_file("/proc/self/fd/" + std::to_string(errors_.get())).value_or("");
    starting_.reset();
    if (end.how != sys::ProgramEnd::How::exited) {
        end_what_netavark_left(); // what it has started itself
    }
    lock_.reset();
    server_ = name_server();
    look_at_.reset();
    if (server_.valid()) {
        return Error("aardvark-dns was started again")
            .because("it had ended, and names were not found meanwhile");
    }
    why_ = errors.empty() ? sys::to_string(end)
                          : escape_controls(valid_utf8(errors.substr(0, errors.find('\n'))));
    look_again({});
    return std::nullopt;
}

Error NameServerWatch::give_up(std::string_view why) {
    is_given_up_ = true;
    look_again(std::chrono::minutes(1));
    return Error("containers do not find each other by name any more")
        .at("aardvark-dns")
        .because(why)
        .mend("'sctr network reload " + container_ + "' starts it");
}

} // namespace sctr::network
