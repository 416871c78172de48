// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>

/// What `sctr logs` shows. Pure.
namespace sctr::cli {

/// A line of a container's output, or a piece of one.
struct LogEntry {
    std::int64_t time_usec = 0;
    int stream = 1; ///< 1: stdout, 2: stderr
    int priority = 6;
    std::string prefix; ///< "<3>", of which journald knows as the priority
    std::string text;
    bool ends = true; ///< a newline followed
    std::string name;
    std::string run;
    std::string image;
};

/// The bytes that the command wrote, with the time before each line if `timestamps`.
class LogText {
  public:
    explicit LogText(bool timestamps) : timestamps_(timestamps) {}

    std::string operator()(const LogEntry& entry);

  private:
    bool timestamps_;
    std::array<bool, 3> in_line_{}; ///< of each stream
};

/// One line of JSON. A text that is not UTF-8 is an array of its bytes, as journalctl has it.
std::string log_json(const LogEntry& entry);

/// Counts lines back from the end, for the last `wanted` of them.
class LineCount {
  public:
    explicit LineCount(std::int64_t wanted) : left_(wanted) {}

    /// False when the entry before all those taken so far is no part of the wanted lines.
    bool take(int stream, bool ends);

  private:
    std::int64_t left_;
    std::array<bool, 3> seen_{}; ///< of each stream
};

} // namespace sctr::cli
