// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/container_view.hpp"
#include "cli/flags.hpp"
#include "cli/log.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "linux/process.hpp"
#include "linux/signals.hpp"

/// sctr cp: one sctr-layer packs what the source is, another unpacks it at the destination.
namespace sctr::cli {
namespace {

constexpr const char* cannot_copy = "cannot copy";

/// One side of a copy.
struct Side {
    std::string typed;
    std::string container; ///< empty: the caller's files
    std::string path;      ///< absolute
    bool is_stream = false;
};

/// A path of the caller's with a colon in it is given as ./PATH, as in docker and podman.
Side parse_side(const std::string& text) {
    if (text == "-") {
        return {.typed = text, .is_stream = true};
    }
    const auto colon = text.find(':');
    if (colon != std::string::npos && colon > 0 && !text.starts_with('.') &&
        !text.substr(0, colon).contains('/')) {
        const std::string path = text.substr(colon + 1);
        return {.typed = text,
                .container = text.substr(0, colon),
                .path = path.starts_with('/') ? path : "/" + path};
    }
    if (text.empty()) {
        throw Error("an empty path is no place to copy from or to");
    }
    if (text.starts_with('/')) {
        return {.typed = text, .path = text};
    }
    std::error_code failure;
    const std::string directory = std::filesystem::current_path(failure);
    if (failure) {
        throw Error(cannot_copy).at(text).because(failure.value());
    }
    return {.typed = text, .path = directory + "/" + text};
}

/// What is after the last slash; nothing for a path that ends in one of the dots, or is the root.
std::string last_name(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    const std::string name = path.substr(path.rfind('/') + 1);
    return name == "." || name == ".." ? "" : name;
}

ContainerView view_of(const Side& side, bool write) {
    return side.container.empty() ? ContainerView() : ContainerView(side.container, write);
}

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};

Pipe make_pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw Error("cannot make a pipe").because(errno);
    }
    return {.reader = sys::raise_fd(UniqueFd(ends[0])), .writer = sys::raise_fd(UniqueFd(ends[1]))};
}

UniqueFd standard(int fd, const char* what, const char* mend) {
    if (::isatty(fd) == 1) {
        throw Error(what).mend(mend);
    }
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
    if (!copy.valid()) {
        throw Error(what).because(errno);
    }
    return copy;
}

struct CopyFlags {
    bool archive = false;
    bool follow = false;
};

storage::LayerWork reading(const Side& from, const CopyFlags& flags) {
    const std::string name = last_name(from.path);
    return {.words = {"copy-from",
                      from.path,
                      from.typed,
                      name.empty() ? "root" : name,
                      flags.follow ? "follow" : "keep"}};
}

storage::LayerWork writing(const Side& from, const Side& to, const CopyFlags& flags) {
    const std::string name = last_name(from.path);
    return {.words = {"copy-to",
                      to.path,
                      to.typed,
                      from.is_stream ? ""
                      : name.empty() ? "root"
                                     : name,
                      name.empty() ? "contents" : "whole",
                      flags.archive || from.is_stream ? "owners" : "root",
                      from.is_stream ? "any" : "marked"}};
}

/// Waits until all have ended. A signal that asks for an end ends them; it is returned.
std::optional<int> wait_for(const std::vector<storage::LayerProgram*>& programs,
                            const sys::SignalQueue& signals) {
    std::optional<int> asked;
    for (storage::LayerProgram* program : programs) {
        std::array<struct pollfd, 2> waited{
            {{program->pidfd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
        while (waited[0].revents == 0) {
            if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) {
                throw Error(cannot_copy).because(errno);
            }
            while (const auto signal = signals.take()) {
                if (std::ranges::contains(std::array{SIGHUP, SIGINT, SIGQUIT, SIGTERM}, *signal)) {
                    asked = signal;
                    std::ranges::for_each(programs, &storage::LayerProgram::kill);
                }
            }
        }
    }
    return asked;
}

/// What is wrong with one side; nothing where that is only how the other one has ended.
std::optional<Error> failure_of(const storage::LayerEnd& end, const Side& side) {
    if (end.is_success() || end.error) {
        return end.error;
    }
    Error error(cannot_copy);
    error.at(side.typed);
    if (end.status == 128 + SIGPIPE) {
        return error.because(EPIPE);
    }
    return end.status > 128
               ? error.because("what copied it was ended by signal " +
                               std::to_string(end.status - 128))
               : error.because("what copied it ended with status " + std::to_string(end.status));
}

/// Whether it has seen nobody read what it wrote.
bool lost_its_reader(const storage::LayerEnd& end) {
    return end.status == 128 + SIGPIPE || (end.error && end.error->error_number() == EPIPE);
}

/// The programs of a copy, and what they are to leave behind.
class Copying {
  public:
    Copying(const Side& from, const Side& to) : from_(from), to_(to), target_(view_of(to, true)) {}

    void run(const CopyFlags& flags);

  private:
    void start(storage::LayerWork read, storage::LayerWork write);
    void finish(const sys::SignalQueue& signals);
    void take_back(const storage::LayerEnd& end);

    const Side& from_;
    const Side& to_;
    ContainerView target_;
    std::optional<storage::LayerProgram> reader_;
    std::optional<storage::LayerProgram> writer_;
    std::optional<int> signal_;
};

void Copying::start(storage::LayerWork read, storage::LayerWork write) {
    UniqueFd given;
    Pipe pipe;
    if (from_.is_stream) {
        given = standard(
            STDIN_FILENO, "there is no archive on standard input", "give a file instead of -");
        write.input = given.get();
    } else if (to_.is_stream) {
        given = standard(STDOUT_FILENO, "where to write the archive?", "give a pipe, or a path");
        read.output = given.get();
    } else {
        pipe = make_pipe();
        read.output = pipe.writer.get();
        write.input = pipe.reader.get();
    }
    if (!from_.is_stream) {
        reader_.emplace(read);
    }
    pipe.writer.reset();
    if (!to_.is_stream) {
        writer_.emplace(write);
    }
}

/// What who wrote could not take back itself.
void Copying::take_back(const storage::LayerEnd& end) {
    constexpr int has_told = 1;
    if (end.is_success() || end.status == has_told) {
        return;
    }
    storage::LayerWork work{.words = {"take-back"}, .text = writer_->printed()};
    target_.add_to(work);
    try {
        (void)storage::LayerProgram(work).finish();
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

void Copying::finish(const sys::SignalQueue& signals) {
    std::vector<storage::LayerProgram*> programs;
    for (auto* program : {&reader_, &writer_}) {
        if (*program) {
            programs.push_back(&**program);
        }
    }
    signal_ = wait_for(programs, signals);
    const storage::LayerEnd read = reader_ ? reader_->wait() : storage::LayerEnd();
    const storage::LayerEnd written = writer_ ? writer_->wait() : storage::LayerEnd();
    if (writer_) {
        take_back(written);
    }
    // The error of who began it: the other one sees an archive that ends too early, or a pipe
    // without a reader.
    const auto second = failure_of(written, to_);
    if (const auto first = failure_of(read, from_); first && !(lost_its_reader(read) && second)) {
        throw Error(*first);
    }
    if (second) {
        throw Error(*second);
    }
}

void Copying::run(const CopyFlags& flags) {
    const ContainerView source = view_of(from_, false);
    storage::LayerWork read = reading(from_, flags);
    storage::LayerWork write = writing(from_, to_, flags);
    source.add_to(read);
    target_.add_to(write);
    start(std::move(read), std::move(write));
    try {
        const sys::SignalQueue signals; // not earlier: the programs would inherit what is blocked
        finish(signals);
    } catch (const Error&) {
        if (signal_) {
            ::raise(*signal_);
        }
        throw;
    }
}

} // namespace

int cp_verb(const Words& words) {
    CopyFlags flags;
    CLI::App app("Copies files between a container and the host, or between two containers.",
                 "sctr cp");
    describe(app,
             "[OPTIONS] [CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
             {"sctr cp site.conf web:/etc/nginx/conf.d/",
              "sctr cp web:/var/log/. logs",
              "sctr cp web:/etc - | tar -t"});
    add_switch(app, "-a,--archive", flags.archive, "keep owners (else all is root's, or yours)");
    add_switch(app, "-L,--follow-link", flags.follow, "copy what a link of SOURCE leads to");
    const auto names = parse_names(app, words);
    if (names.size() != 2) {
        throw Error("a source and a destination are needed").mend("see 'sctr cp --help'");
    }
    const Side from = parse_side(names.front());
    const Side to = parse_side(names.back());
    if (from.container.empty() && to.container.empty()) {
        throw Error("neither is in a container")
            .at(join(names, " "))
            .mend("name one as CONTAINER:PATH");
    }
    Copying(from, to).run(flags);
    return 0;
}

} // namespace sctr::cli
