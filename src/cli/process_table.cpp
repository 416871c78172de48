// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/process_table.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/output.hpp"

namespace sctr::cli {
namespace {

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words = split(line, ' ');
    std::erase(words, "");
    return words;
}

} // namespace

std::string process_table(const std::vector<pid_t>& pids, const std::vector<std::string>& options) {
    std::vector<std::string> command{"ps"};
    command.insert(command.end(), options.begin(), options.end());
    if (options.empty()) {
        command.emplace_back("-ef");
    }
    const std::vector<std::string> lines = split(sys::output_of(command), '\n');
    const std::vector<std::string> header = words_of(lines.front());
    const auto column = static_cast<std::size_t>(std::ranges::find(header, "PID") - header.begin());
    if (column == header.size()) {
        throw Error("cannot list the processes")
            .at(join(command, " "))
            .because("its output has no column PID");
    }
    std::string table = lines.front() + '\n';
    for (const std::string& line : lines) {
        const std::vector<std::string> words = words_of(line);
        const auto pid = words.size() > column ? parse_int(words[column]) : std::nullopt;
        if (pid && std::ranges::contains(pids, static_cast<pid_t>(*pid))) {
            table += line + '\n';
        }
    }
    return table;
}

} // namespace sctr::cli
