// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/traffic.hpp"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/strings.hpp"
#include "linux/procfs.hpp"

namespace sctr::network {

namespace {

std::vector<std::uint64_t> numbers_of(const std::string& text) {
    std::vector<std::uint64_t> numbers;
    for (const std::string& word : split(text, ' ')) {
        if (const auto number = parse_uint(word)) {
            numbers.push_back(*number);
        }
    }
    return numbers;
}

/// Nothing when there is no such process.
std::optional<ino_t> network_namespace_of(const std::string& process) {
    struct stat info{};
    return ::stat(("/proc/" + process + "/ns/net").c_str(), &info) == 0 ? std::optional(info.st_ino)
                                                                        : std::nullopt;
}

} // namespace

Traffic parse_traffic(std::string_view text) {
    constexpr std::size_t received_packets = 1;
    constexpr std::size_t sent_bytes = 8;
    constexpr std::size_t sent_packets = 9;
    Traffic sum;
    for (const std::string& line : split(text, '\n')) {
        const auto [name, rest] = split_once(line, ':');
        const auto numbers = rest ? numbers_of(*rest) : std::vector<std::uint64_t>();
        if (numbers.size() <= sent_packets || name.ends_with(" lo") || name == "lo") {
            continue; // the headings have no numbers
        }
        sum.received_bytes += numbers[0];
        sum.received_packets += numbers[received_packets];
        sum.sent_bytes += numbers[sent_bytes];
        sum.sent_packets += numbers[sent_packets];
    }
    return sum;
}

std::optional<Traffic> traffic_of(pid_t pid) {
    const auto theirs = network_namespace_of(std::to_string(pid));
    if (!theirs || theirs == network_namespace_of("self")) {
        return std::nullopt;
    }
    const auto text = sys::read_small_file("/proc/" + std::to_string(pid) + "/net/dev");
    return text ? std::optional(parse_traffic(*text)) : std::nullopt;
}

} // namespace sctr::network
