// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/helper.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/error_data.hpp"
#include "container/id_maps.hpp"
#include "linux/memfd.hpp"
#include "linux/procfs.hpp"
#include "linux/program.hpp"
#include "plan/namespaces.hpp"

namespace sctr::storage {

namespace {

constexpr const char* program = SCTR_LAYER_PROGRAM;
constexpr int cannot_execute = 126;

std::string text_of(int file) {
    return sys::read_small_file("/proc/self/fd/" + std::to_string(file)).value_or("");
}

/// The error that it has printed last, or what else it said.
std::optional<Error> told_by(std::string said) {
    if (auto error = error_from_data(said)) {
        return error;
    }
    while (said.ends_with('\n')) {
        said.pop_back();
    }
    return said.empty() ? std::nullopt : std::optional(Error(said));
}

/// In the child: waits for its id maps, if it is to have some, and becomes the program.
void become_program(int permission, const std::vector<int>& inherited, char* const* argv) {
    char byte = 0;
    if (permission >= 0 && ::recv(permission, &byte, 1, 0) != 1) {
        ::_exit(1); // the parent failed, and says so
    }
    // Who is not root there would lose his capabilities with the exec.
    if (permission >= 0 && (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0)) {
        ::_exit(cannot_execute);
    }
    for (int fd = 0; fd < static_cast<int>(inherited.size()); ++fd) {
        const int given = inherited[static_cast<std::size_t>(fd)];
        if (given >= 0 ? ::dup2(given, fd) < 0 : (::close(fd) < 0 && errno != EBADF)) {
            ::_exit(cannot_execute);
        }
    }
    ::execv(program, argv);
    ::_exit(cannot_execute);
}

} // namespace

bool is_rootless() {
    return ::geteuid() != 0;
}

LayerProgram::LayerProgram(const LayerWork& work)
    : out_(sys::raise_fd(sys::memory_file("sctr-layer-output"))),
      error_text_(sys::raise_fd(sys::memory_file("sctr-layer-error"))) {
    const bool mapped = work.map_ids && is_rootless();
    std::vector<std::string> texts = work.words;
    if (mapped) {
        texts.insert(texts.begin(), "--rootless");
    }
    texts.insert(texts.begin(), "sctr-layer");
    UniqueFd text;
    if (work.input < 0) {
        text = sys::raise_fd(sys::sealed_memfd("sctr-layer-input", work.text, false));
        ::lseek(text.get(), 0, SEEK_SET);
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    UniqueFd ours(ends[0]);
    UniqueFd theirs = sys::raise_fd(UniqueFd(ends[1]));
    container::OwnIds ids = mapped ? container::own_ids() : container::OwnIds();
    if (mapped && work.kept) {
        ids = {.uids = plan::keep_id_map(ids.uids, work.kept->uid),
               .gids = plan::keep_id_map(ids.gids, work.kept->gid)};
    }
    const auto argv = sys::argument_pointers(texts);
    std::vector<int> inherited{work.input >= 0 ? work.input : text.get(),
                               work.output >= 0 ? work.output : out_.get(),
                               error_text_.get()};
    inherited.insert(inherited.end(), work.passed.begin(), work.passed.end());
    child_ = sys::fork_child(mapped ? CLONE_NEWUSER : 0, [&] {
        ours.reset();
        ::signal(SIGPIPE, SIG_DFL);
        become_program(mapped ? theirs.get() : -1, inherited, argv.data());
    });
    theirs.reset();
    if (mapped) {
        container::write_id_maps(
            child_.pid(), plan::map_lines(ids.uids), plan::map_lines(ids.gids));
        (void)::send(ours.get(), "", 1, MSG_NOSIGNAL);
    }
}

void LayerProgram::kill() {
    (void)child_.signal(SIGKILL);
}

LayerEnd LayerProgram::wait() {
    LayerEnd end{.status = child_.wait(), .error = {}};
    if (end.status == cannot_execute) {
        end.error = Error("cannot execute").at(program).mend("install sctr as a whole");
    } else if (end.status != 0) {
        end.error = told_by(text_of(error_text_.get()));
    }
    return end;
}

std::string LayerProgram::printed() const {
    return text_of(out_.get());
}

std::string LayerProgram::finish() {
    const LayerEnd end = wait();
    if (end.error) {
        throw Error(*end.error);
    }
    if (!end.is_success()) {
        throw Error("sctr-layer ended with status " + std::to_string(end.status));
    }
    return text_of(out_.get());
}

std::string
run_layer_program(const std::vector<std::string>& words, const std::string& input, int output) {
    return LayerProgram({.words = words, .text = input, .output = output}).finish();
}

void remove_trees(const std::vector<std::string>& paths) {
    constexpr std::size_t most = 1000; // the kernel bounds how many words a program gets
    for (std::size_t i = 0; i < paths.size(); i += most) {
        std::vector<std::string> words{"remove"};
        for (std::size_t j = i; j < std::min(i + most, paths.size()); ++j) {
            words.push_back(paths[j]);
        }
        (void)run_layer_program(words, "");
    }
}

} // namespace sctr::storage
