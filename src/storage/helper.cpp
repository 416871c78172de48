// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/helper.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "container/id_maps.hpp"
#include "linux/memfd.hpp"
#include "linux/process.hpp"
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

/// In the child: waits for its id maps, if it is to have some, and becomes the program.
void become_program(int permission, const std::array<int, 3>& standard, char* const* argv) {
    char byte = 0;
    if (permission >= 0 && ::recv(permission, &byte, 1, 0) != 1) {
        ::_exit(1); // the parent failed, and says so
    }
    for (int fd = 0; fd < 3; ++fd) {
        if (::dup2(standard[static_cast<std::size_t>(fd)], fd) < 0) {
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

std::string
run_layer_program(const std::vector<std::string>& words, const std::string& input, int output) {
    std::vector<std::string> texts = words;
    texts.insert(texts.begin(), "sctr-layer");
    const UniqueFd in = sys::raise_fd(sys::sealed_memfd("sctr-layer-input", input, false));
    ::lseek(in.get(), 0, SEEK_SET);
    const UniqueFd out = sys::raise_fd(sys::memory_file("sctr-layer-output"));
    const UniqueFd error_text = sys::raise_fd(sys::memory_file("sctr-layer-error"));
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        throw Error("cannot create a socket pair").because(errno);
    }
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const container::OwnIds ids = container::own_ids();
    const auto argv = sys::argument_pointers(texts);
    const bool mapped = is_rootless();
    sys::Child child = sys::fork_child(mapped ? CLONE_NEWUSER : 0, [&] {
        ours.reset();
        become_program(mapped ? theirs.get() : -1,
                       {in.get(), output >= 0 ? output : out.get(), error_text.get()},
                       argv.data());
    });
    theirs.reset();
    if (mapped) {
        container::write_id_maps(child.pid(), plan::map_lines(ids.uids), plan::map_lines(ids.gids));
        (void)::send(ours.get(), "", 1, MSG_NOSIGNAL);
    }
    const int status = child.wait();
    if (status == cannot_execute) {
        throw Error("cannot execute").at(program).mend("install sctr as a whole");
    }
    if (status != 0) {
        std::string said = text_of(error_text.get());
        while (said.ends_with('\n')) {
            said.pop_back();
        }
        throw Error(said.empty() ? "sctr-layer ended with status " + std::to_string(status) : said);
    }
    return text_of(out.get());
}

void remove_trees(const std::vector<std::string>& paths) {
    if (paths.empty()) {
        return;
    }
    std::vector<std::string> words{"remove"};
    words.insert(words.end(), paths.begin(), paths.end());
    (void)run_layer_program(words, "");
}

} // namespace sctr::storage
