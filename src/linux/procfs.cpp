// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/procfs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"

namespace sctr::sys {

std::optional<std::string> read_small_file(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) {
        return std::nullopt;
    }
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
        if (size < 0) {
            return std::nullopt;
        }
        if (size == 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

std::optional<std::uint64_t> process_start_time(pid_t pid) {
    const auto stat = read_small_file("/proc/" + std::to_string(pid) + "/stat");
    // The command name, field 2, may hold spaces and parentheses: count from the last one.
    const auto end_of_name = stat ? stat->rfind(')') : std::string::npos;
    if (end_of_name == std::string::npos) {
        return std::nullopt;
    }
    const auto fields = split(std::string_view(*stat).substr(end_of_name + 2), ' ');
    constexpr std::size_t state = 0;       // field 3
    constexpr std::size_t start_time = 19; // field 22
    if (fields.size() <= start_time || fields[state] == "Z" || fields[state] == "X") {
        return std::nullopt;
    }
    return parse_uint(fields[start_time]);
}

std::string boot_id() {
    // Who looks at a thousand records asks two thousand times.
    static const std::string id = [] {
        auto text = read_small_file("/proc/sys/kernel/random/boot_id").value_or("");
        while (text.ends_with('\n')) {
            text.pop_back();
        }
        return text;
    }();
    return id;
}

pid_t innermost_pid(pid_t pid) {
    const auto text = read_small_file("/proc/" + std::to_string(pid) + "/status").value_or("");
    for (const std::string& line : split(text, '\n')) {
        if (line.starts_with("NSpid:")) {
            return static_cast<pid_t>(parse_int(split(line, '\t').back()).value_or(0));
        }
    }
    return 0;
}

std::string cgroup_of(pid_t pid) {
    const auto text = read_small_file("/proc/" + std::to_string(pid) + "/cgroup").value_or("");
    for (const std::string& line : split(text, '\n')) {
        if (line.starts_with("0::")) {
            return line.substr(3);
        }
    }
    return {};
}

} // namespace sctr::sys
