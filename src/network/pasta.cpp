// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/pasta.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

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

namespace {

/// Where the container's root is not the caller himself (--userns keep-id), the kernel shows the
/// directory of its namespaces to nobody else: pasta, which watches it, is the container's root
/// from its beginning. An invalid fd where that takes nothing.
UniqueFd namespace_of_another(pid_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    struct stat info{};
    if (::geteuid() == 0 || ::stat(process.c_str(), &info) < 0 || info.st_uid == ::geteuid()) {
        return {};
    }
    UniqueFd space(::open((process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
    if (!space.valid()) {
        throw Error(cannot_connect).at(process + "/ns/user").because(errno);
    }
    return space;
}

void become_its_root(const void* context) noexcept {
    if (::setns(*static_cast<const int*>(context), CLONE_NEWUSER) < 0 || ::setresgid(0, 0, 0) < 0 ||
        ::setresuid(0, 0, 0) < 0) {
        ::_exit(1);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // the kernel drops it with the change of ids
}

} // namespace

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
    const UniqueFd space = namespace_of_another(pid);
    const int space_fd = space.get();
    sys::Program start{.path = program,
                       .args = pasta_words(program, ports, options, pid),
                       .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                       .directory = "/",
                       .standard = {null.get(), write_end.get(), errors_.get()}};
    if (space.valid()) {
        const auto userns = std::ranges::find(start.args, "--userns");
        start.args.erase(userns, userns + 2);
        start.args.emplace_back("--netns-only");
        ::fchmod(write_end.get(), 0622); // it opens its standard output by name
        start.prepare = become_its_root;
        start.context = &space_fd;
    }
    program_ = std::make_unique<sys::RunningProgram>(start);
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
