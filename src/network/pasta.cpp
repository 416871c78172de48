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
UniqueFd namespace_of_another(pid_t pid, uid_t root) {
    if (::geteuid() == 0 || root == ::geteuid()) {
        return {};
    }
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
    UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space.valid()) {
        throw Error(cannot_connect).at(path).because(errno);
    }
    return space;
}

uid_t owner_of(pid_t pid) {
    struct stat info{};
    return ::stat(("/proc/" + std::to_string(pid)).c_str(), &info) == 0 ? info.st_uid : ::geteuid();
}

void become_its_root(const void* context) noexcept {
    if (::setns(*static_cast<const int*>(context), CLONE_NEWUSER) < 0 || ::setresgid(0, 0, 0) < 0 ||
        ::setresuid(0, 0, 0) < 0) {
        ::_exit(1);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // the kernel drops it with the change of ids
}

} // namespace

Pasta::Pasta(std::string program,
             std::vector<plan::PublishedPort> ports,
             std::vector<std::string> options,
             pid_t pid,
             const UniqueFd& space)
    : path_(std::move(program)), ports_(std::move(ports)), options_(std::move(options)), pid_(pid),
      owner_(owner_of(pid)), space_(space) {
    start();
}

void Pasta::start() {
    errors_ = sys::memory_file("pasta-errors");
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error(cannot_connect).because(errno);
    }
    ready_ = UniqueFd(ends[0]);
    const UniqueFd write_end(ends[1]);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd space = namespace_of_another(pid_, owner_);
    const int space_fd = space.get();
    sys::Program start{.path = path_,
                       .args = pasta_words(path_, ports_, options_, pid_),
                       .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                       .directory = "/",
                       .standard = {null.get(), write_end.get(), errors_.get()}};
    if (owner_of(pid_) != owner_) {
        // The command has other ids by now, and the directory is closed to the container's root.
        start.args.insert(start.args.begin() + 1, "--no-netns-quit");
    }
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

bool Pasta::is_ready() {
    constexpr int patience_ms = 30'000;
    struct pollfd item{ready_.get(), POLLIN, 0};
    std::array<char, 64> pid{};
    const int ready = ::poll(&item, 1, patience_ms);
    return ready > 0 && ::read(ready_.get(), pid.data(), pid.size()) > 0;
}

void Pasta::await_ready() {
    if (is_ready()) {
        return;
    }
    // Where the host has no default route it takes any interface as its template, and one that
    // vanishes meanwhile, as other containers' do, is its end.
    start();
    if (is_ready()) {
        return;
    }
    throw Error(cannot_connect).at("pasta").because(why_it_ended());
}

std::string Pasta::why_it_ended() {
    program_->wait(1, -1);
    const sys::ProgramEnd end = program_->end();
    const std::string said =
        sys::read_small_file("/proc/self/fd/" + std::to_string(errors_.get())).value_or("");
    return said.empty() || end.how == sys::ProgramEnd::How::killed
               ? sys::to_string(end)
               : escape_controls(valid_utf8(said.substr(0, said.find('\n'))));
}

void Pasta::add_to(std::vector<struct pollfd>& items) const {
    if (program_) {
        items.push_back({program_->pidfd(), POLLIN, 0});
    }
}

int Pasta::timeout_ms() const {
    return ms_until(start_at_);
}

std::optional<Error> Pasta::handle(const std::vector<struct pollfd>& items) {
    const auto is_end = [this](const struct pollfd& item) {
        return item.fd == program_->pidfd() && item.revents != 0;
    };
    if (program_ && std::ranges::any_of(items, is_end)) {
        return ended(why_it_ended());
    }
    return timeout_ms() == 0 ? start_again() : std::nullopt;
}

std::optional<Error> Pasta::ended(std::string why) {
    program_.reset();
    why_ = std::move(why);
    start_at_ = next_revival(starts_, Clock::now());
    if (!start_at_) {
        return Error("the container has no network any more")
            .at("pasta")
            .because(why_)
            .mend("start the container anew");
    }
    return timeout_ms() == 0 ? start_again() : std::nullopt;
}

std::optional<Error> Pasta::start_again() {
    start_at_.reset();
    starts_.push_back(Clock::now());
    struct stat now{};
    struct stat before{};
    const std::string path = "/proc/" + std::to_string(pid_) + "/ns/net";
    if (::stat(path.c_str(), &now) < 0 && (errno == ENOENT || errno == ESRCH)) {
        return std::nullopt; // it has ended with the container
    }
    if (::fstat(space_.get(), &before) < 0 || now.st_ino != before.st_ino) {
        return Error("the container has no network any more")
            .at("pasta")
            .because(why_ + ", and the first process is in another network namespace by now");
    }
    try {
        start();
    } catch (const Error& error) {
        return ended(error.what());
    }
    if (program_->pid() < 0) {
        return ended(sys::to_string(program_->end()));
    }
    return Error("pasta was started again").because(why_);
}

} // namespace sctr::network
