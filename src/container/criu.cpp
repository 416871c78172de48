// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/criu.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/strings.hpp"
#include "host/caller.hpp"
#include "linux/find_program.hpp"
#include "linux/procfs.hpp"

namespace sctr::container::criu {

namespace {

constexpr int socket_fd = 3;

/// In the child: `from` under the number `to`, open across the exec. `from` is above them all.
void place(int from, int to) {
    if (::dup2(from, to) != to) {
        ::_exit(1);
    }
}

[[noreturn]] void execute(const std::string& program, int socket, const std::vector<int>& files) {
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    place(socket, socket_fd);
    for (std::size_t i = 0; i < files.size(); ++i) {
        place(files[i], Worker::first_inherited + static_cast<int>(i));
    }
    const std::string number = std::to_string(socket_fd);
    ::execl(program.c_str(), "criu", "swrk", number.c_str(), nullptr);
    throw Error("cannot execute the program").at(program).because(errno);
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 1024> buffer{};
    for (;;) {
        const ssize_t size = ::read(fd, buffer.data(), buffer.size());
        if (size > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(size));
        } else if (size == 0 || errno != EINTR) {
            return text;
        }
    }
}

/// Above every number that the child gives to its files.
UniqueFd lift(int fd) {
    constexpr int high = 64;
    UniqueFd lifted(::fcntl(fd, F_DUPFD_CLOEXEC, high));
    if (!lifted.valid()) {
        throw Error("cannot duplicate a file descriptor").because(errno);
    }
    return lifted;
}

} // namespace

Worker::Worker(const std::string& purpose,
               const std::function<void()>& prepare,
               const std::vector<int>& inherited)
    : purpose_(purpose) {
    const std::string program = sys::find_program("criu");
    if (program.empty()) {
        throw Error("cannot " + purpose)
            .because("the program criu is not installed")
            .mend("install the package criu");
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    socket_ = UniqueFd(ends[0]);
    const UniqueFd other(ends[1]);
    const UniqueFd socket = lift(other.get());
    std::vector<UniqueFd> lifted;
    std::vector<int> files;
    files.reserve(inherited.size());
    for (const int fd : inherited) {
        files.push_back(lifted.emplace_back(lift(fd)).get());
    }
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) < 0) {
        throw Error("cannot create a pipe").because(errno);
    }
    const UniqueFd reader(pipe[0]);
    UniqueFd writer(pipe[1]);
    child_ = sys::fork_child(0, [&] {
        try {
            prepare();
            execute(program, socket.get(), files);
        } catch (const std::exception& error) {
            (void)!::write(writer.get(), error.what(), std::strlen(error.what()));
        }
    });
    writer.reset();
    // Ends when criu runs, which closes it.
    if (const std::string why = read_all(reader.get()); !why.empty()) {
        throw Error("cannot " + purpose).because(why);
    }
}

void Worker::send(const std::string& message) const {
    if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
        throw Error("cannot " + purpose_).because("criu does not take the request");
    }
}

std::pair<Answer, UniqueFd> Worker::receive() const {
    std::array<char, 65536> buffer{};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    struct iovec data{buffer.data(), buffer.size()};
    struct msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = -1;
    do {
        size = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    UniqueFd file;
    const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        file = UniqueFd(fd);
    }
    const auto answer =
        size > 0 ? decode_answer({buffer.data(), static_cast<std::size_t>(size)}) : std::nullopt;
    if (!answer) {
        return {Answer{.error_text = "it ended without an answer"}, UniqueFd()};
    }
    return {*answer, std::move(file)};
}

Error Worker::failed(const std::string& why, const std::string& log_path) const {
    const std::string logged = failure_in_log(sys::read_small_file(log_path).value_or(""));
    Error error("cannot " + purpose_);
    error.because("criu says: " + (logged.empty() ? why : logged)).mend("see " + log_path);
    return error;
}

/// It has answered and cleans up after itself.
void Worker::await_end() {
    ::shutdown(socket_.get(), SHUT_WR);
    struct pollfd end{child_.pidfd(), POLLIN, 0};
    constexpr int patience_ms = 10'000;
    ::poll(&end, 1, patience_ms);
}

Answer Worker::ask(RequestKind kind,
                   const Options& options,
                   const std::string& log_path,
                   const Notified& notified) {
    send(encode_request(kind, options));
    for (;;) {
        auto [answer, file] = receive();
        if (!answer.success) {
            const std::string number =
                answer.error_number == 0 ? "failed" : std::strerror(answer.error_number);
            throw failed(answer.error_text.empty() ? number : answer.error_text, log_path);
        }
        if (answer.kind != static_cast<std::uint64_t>(RequestKind::notify)) {
            await_end();
            return answer;
        }
        notified(answer, std::move(file));
        send(encode_notified());
    }
}

Answer Worker::check_features() {
    send(encode_feature_check());
    auto [answer, file] = receive();
    await_end();
    return answer;
}

void require_root(const std::string& purpose) {
    if (!host::caller().is_system) {
        throw Error("cannot " + purpose)
            .because("CRIU takes the privileges of the host's root")
            .mend("run the container as root");
    }
}

std::string config_file(const std::map<std::string, std::string>& annotations) {
    if (const auto named = annotations.find("org.criu.config"); named != annotations.end()) {
        return named->second;
    }
    for (const char* path : {"/etc/criu/sctr.conf", "/etc/criu/runc.conf"}) {
        if (::access(path, R_OK) == 0) {
            return path;
        }
    }
    return {};
}

UniqueFd open_directory(const std::string& path, const char* what) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error(what).at(path).because(errno);
    }
    return directory;
}

} // namespace sctr::container::criu
