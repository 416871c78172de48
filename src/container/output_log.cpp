// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/output_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/error.hpp"
#include "container/log_fields.hpp"
#include "host/caller.hpp"
#include "linux/process.hpp"
#include "systemd/journal_entry.hpp"

namespace sctr::container {

namespace {

/// What waits for journald, entries and bytes; more is left in the pipe, so that the command waits
/// too. A line may have 1 MiB.
constexpr std::size_t longest_queue = 256;
constexpr std::size_t most_queued_bytes = std::size_t{4} << 20U;

bool is_ready(const std::vector<struct pollfd>& items, int fd) {
    for (const struct pollfd& item : items) {
        if (item.fd == fd && item.revents != 0) {
            return true;
        }
    }
    return false;
}

bool has_input(int fd) {
    struct pollfd item{fd, POLLIN, 0}; // an fd of -1 is passed over
    return ::poll(&item, 1, 0) > 0;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        throw Error("cannot make a pipe").because(errno);
    }
    std::pair<UniqueFd, UniqueFd> pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    ::fcntl(pipe.first.get(), F_SETFL, O_NONBLOCK);
    // Whatever id the command runs under, it may open /dev/stdout; who else could get at that name
    // could get at all of its files.
    ::fchmod(pipe.second.get(), 0622);
    pipe.second = sys::raise_fd(std::move(pipe.second));
    return pipe;
}

std::string common_fields(const plan::Request& request,
                          const std::string& unit,
                          std::int64_t run,
                          const char* stream) {
    systemd::JournalEntry entry;
    entry.add("SYSLOG_IDENTIFIER", request.id)
        .add(field::stream, stream)
        .add(field::name, request.id)
        .add(field::id, request.id)
        .add(field::run, std::to_string(run))
        .add_if(field::image, image_name(request.spec));
    if (!host::caller().is_system) {
        // journald sees the supervisor's unit; with this journalctl finds the container's too.
        entry.add("OBJECT_SYSTEMD_USER_UNIT", unit);
    }
    return entry.bytes();
}

} // namespace

OutputLog::OutputLog(const plan::Request& request, const std::string& unit, std::int64_t run)
    : unit_(unit), streams_{Stream{.read_end = {},
                                   .write_end = {},
                                   .fields = common_fields(request, unit, run, "stdout"),
                                   .lines = LogLines(6)},
                            Stream{.read_end = {},
                                   .write_end = {},
                                   .fields = common_fields(request, unit, run, "stderr"),
                                   .lines = LogLines(3)}},
      is_terminal_(request.spec.process && request.spec.process->terminal) {
    for (Stream& stream : streams_) {
        std::tie(stream.read_end, stream.write_end) = make_pipe();
    }
    systemd::lift_log_rate_limit(unit_);
}

OutputLog::~OutputLog() {
    systemd::restore_log_rate_limit(unit_);
}

void OutputLog::started(pid_t init) {
    init_ = init;
    for (Stream& stream : streams_) {
        stream.write_end.reset();
    }
}

void OutputLog::add_to(std::vector<struct pollfd>& items) const {
    if (!queue_.empty()) {
        items.push_back({journal_.fd(), POLLOUT, 0});
    }
    for (const Stream& stream : streams_) {
        if (stream.read_end.valid() && takes_more()) {
            items.push_back({stream.read_end.get(), POLLIN, 0});
        }
    }
}

bool OutputLog::takes_more() const {
    return queue_.size() < longest_queue && queued_bytes_ < most_queued_bytes;
}

void OutputLog::add(std::string_view bytes) {
    Stream& output = streams_.front();
    output.lines.add(bytes);
    queue_lines(output, false);
    send_queued();
}

void OutputLog::handle(const std::vector<struct pollfd>& items) {
    for (Stream& stream : streams_) {
        if (stream.read_end.valid() && is_ready(items, stream.read_end.get())) {
            read_from(stream);
        }
    }
    send_queued();
}

int OutputLog::timeout_ms() const {
    // Nobody tells when there is a journald again.
    constexpr int retry_ms = 200;
    return queue_.empty() || journal_.fd() >= 0 ? -1 : retry_ms;
}

void OutputLog::read_from(Stream& stream) {
    std::array<char, std::size_t{64} * 1024> buffer{};
    const ssize_t size = ::read(stream.read_end.get(), buffer.data(), buffer.size());
    if (size > 0) {
        stream.lines.add({buffer.data(), static_cast<std::size_t>(size)});
        queue_lines(stream, false);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        stream.read_end.reset(); // every process has closed its end
    }
}

void OutputLog::queue_lines(Stream& stream, bool ended) {
    while (auto line = stream.lines.next(ended)) {
        if (is_terminal_ && line->ends && line->text.ends_with('\r')) {
            line->text.pop_back();
        }
        systemd::JournalEntry entry;
        entry.add("MESSAGE", line->text).add("PRIORITY", std::to_string(line->priority));
        entry.add_if(field::prefix, line->prefix);
        if (!line->ends) {
            entry.add(field::partial, "true");
        }
        queue_.push_back(entry.bytes() + stream.fields);
        queued_bytes_ += queue_.back().size();
    }
}

void OutputLog::send_queued() {
    while (!queue_.empty() && journal_.send(queue_.front(), init_)) {
        queued_bytes_ -= queue_.front().size();
        queue_.pop_front();
    }
}

void OutputLog::finish() {
    using std::chrono::steady_clock;
    constexpr auto patience = std::chrono::seconds(5);
    const auto end = steady_clock::now() + patience;
    for (Stream& stream : streams_) {
        // As much as a pipe may hold: what still writes is no part of the container any more.
        constexpr int most_reads = 32;
        for (int reads = 0; reads < most_reads && has_input(stream.read_end.get()); ++reads) {
            read_from(stream);
        }
        queue_lines(stream, true);
    }
    for (send_queued(); !queue_.empty() && steady_clock::now() < end; send_queued()) {
        constexpr int moment_ms = 100;
        struct pollfd item{journal_.fd(), POLLOUT, 0};
        ::poll(&item, 1, moment_ms);
    }
    journal_.wait_until_read(patience);
}

} // namespace sctr::container
