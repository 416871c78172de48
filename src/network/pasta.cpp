// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/pasta.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"

namespace sctr::network {

namespace {

constexpr const char* cannot_connect = "cannot connect the container";

std::string range(std::uint16_t first, std::uint16_t count) {
    return std::to_string(first) + (count > 1 ? "-" + std::to_string(first + count - 1) : "");
}

} // namespace

std::vector<std::string> pasta_words(const std::string& program,
                                     const std::vector<plan::PublishedPort>& ports,
                                     const std::vector<std::string>& options,
                                     pid_t pid) {
    std::vector<std::string> words = {program,
                                      "--config-net",
                                      "--foreground",
                                      "--quiet",
                                      "--pid",
                                      "/dev/stdout",
                                      "--no-map-gw",
                                      "--dns-forward",
                                      pasta_resolver,
                                      "--map-guest-addr",
                                      pasta_host};
    bool has_tcp = false;
    bool has_udp = false;
    for (const plan::PublishedPort& port : ports) {
        const bool udp = port.protocol == "udp";
        (udp ? has_udp : has_tcp) = true;
        words.emplace_back(udp ? "-u" : "-t");
        words.push_back((port.host_ip.empty() ? "" : port.host_ip + "/") +
                        range(port.host_port, port.range) + ":" +
                        range(port.container_port, port.range));
    }
    for (const auto& [flag, given] : {std::pair("-t", has_tcp), std::pair("-u", has_udp)}) {
        if (!given) {
            words.insert(words.end(), {flag, "none"});
        }
    }
    // What listens on the host's loopback is none of the container's business.
    words.insert(words.end(), {"-T", "none", "-U", "none"});
    words.insert(words.end(), options.begin(), options.end());
    const std::string proc = "/proc/" + std::to_string(pid) + "/ns/";
    words.insert(words.end(), {"--userns", proc + "user", "--netns", proc + "net"});
    return words;
}

Pasta::Pasta(const std::string& program,
             const std::vector<plan::PublishedPort>& ports,
             const std::vector<std::string>& options,
             pid_t pid)
    : errors_(sys::memory_file("pasta-errors")) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error(cannot_connect).because(errno);
    }
    ready_ = UniqueFd(ends[0]);
    const UniqueFd write_end(ends[1]);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    program_ = std::make_unique<sys::RunningProgram>(
        sys::Program{.path = program,
                     .args = pasta_words(program, ports, options, pid),
                     .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                     .directory = "/",
                     .standard = {null.get(), write_end.get(), errors_.get()}});
}

void Pasta::await_ready() {
    constexpr int patience_ms = 30'000;
    struct pollfd item{ready_.get(), POLLIN, 0};
    std::array<char, 64> pid{};
    const int ready = ::poll(&item, 1, patience_ms);
    if (ready > 0 && ::read(ready_.get(), pid.data(), pid.size()) > 0) {
        return;
    }
    program_->wait(1, -1);
    const std::string said =
        sys::read_small_file("/proc/self/fd/" + std::to_string(errors_.get())).value_or("");
    throw Error(cannot_connect)
        .at("pasta")
        .because(said.empty() ? sys::to_string(program_->end())
                              : escape_controls(valid_utf8(said.substr(0, said.find('\n')))));
}

} // namespace sctr::network
