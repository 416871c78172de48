// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "container/log_lines.hpp"
#include "plan/launch_plan.hpp"
#include "plan/request.hpp"
#include "systemd/journal_socket.hpp"

namespace sctr::container {

/// Carries a container's stdout and stderr to the journal, line by line and byte by byte.
///
/// The command writes to pipes, which it may open again (/dev/stdout), and the entries are sent in
/// the name of its first process, so that journald finds them to be of the container's own unit.
/// docs/architecture.md, Logs, says why neither journald's own streams nor a helper in the scope.
class OutputLog {
  public:
    /// Opens the journal and the pipes. Throws Error.
    OutputLog(const plan::Request& request, const std::string& unit, std::int64_t run);
    OutputLog(const OutputLog&) = delete;
    OutputLog& operator=(const OutputLog&) = delete;
    OutputLog(OutputLog&&) = delete;
    OutputLog& operator=(OutputLog&&) = delete;
    ~OutputLog();

    /// What becomes the command's stdout (1) or stderr (2), until started().
    [[nodiscard]] int write_end(int number) const { return stream(number).write_end.get(); }

    /// The command's first process is there, and has its ends of the pipes.
    void started(pid_t init);

    /// Of a command with a terminal, whose output comes from whoever holds that: more of it. A
    /// carriage return before the end of a line is the terminal's, and is left out.
    void add(std::string_view bytes);
    /// False while entries wait for journald, and what writes should wait too.
    [[nodiscard]] bool takes_more() const;

    /// What to wait for in poll(2).
    void add_to(std::vector<struct pollfd>& items) const;
    void handle(const std::vector<struct pollfd>& items);
    /// When handle() is to be called though nothing happens, in milliseconds; -1: never.
    [[nodiscard]] int timeout_ms() const;

    /// Sends what is left, when the command has ended, and waits until journald has looked up whose
    /// it is; the first process must not have been reaped.
    void finish();

  private:
    struct Stream {
        UniqueFd read_end;
        UniqueFd write_end;
        std::string fields; ///< of every entry, encoded
        LogLines lines;
    };

    [[nodiscard]] const Stream& stream(int number) const {
        return streams_.at(number == 1 ? 0 : 1);
    }

    void read_from(Stream& stream);
    void queue_lines(Stream& stream, bool ended);
    void send_queued();

    std::string unit_;
    systemd::JournalSocket journal_;
    std::array<Stream, 2> streams_;
    std::deque<std::string> queue_; ///< entries to be sent
    std::size_t queued_bytes_ = 0;
    pid_t init_ = 0;
    bool is_terminal_;
};

} // namespace sctr::container
