// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/journal.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/unique_fd.hpp"
#include "init/control.hpp"

namespace sctr::init {

namespace {

UniqueFd connect_stream(const plan::ProcessStep& process, int priority) noexcept {
    UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(stream.valid(), "cannot open a journal stream");
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, "stdout", sizeof address.sun_path - 1);
    require(::connect(stream.get(),
                      reinterpret_cast<const struct sockaddr*>(&address),
                      sizeof address) == 0,
            "cannot connect to the journal",
            "/run/systemd/journal/stdout");
    // Identifier, unit, priority, level prefixes, no forwarding. journald takes the unit from our
    // cgroup, and from here when it comes to look after we have ended.
    const std::string header = process.journal_identifier + "\n" + process.journal_unit + "\n" +
                               std::to_string(priority) + "\n1\n0\n0\n0\n";
    require(::write(stream.get(), header.data(), header.size()) ==
                static_cast<ssize_t>(header.size()),
            "cannot open a journal stream");
    return stream;
}

} // namespace

int open_journal_socket() noexcept {
    return ::open("/run/systemd/journal", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void attach_journal(int journal_socket, const plan::ProcessStep& process) noexcept {
    // A socket's path can only be given relative to the working directory, which is set later.
    require(::fchdir(journal_socket) == 0, "cannot reach the journal", "/run/systemd/journal");
    const UniqueFd out = connect_stream(process, 6);
    const UniqueFd err = connect_stream(process, 3);
    require(::chdir("/") == 0, "cannot return to the root");
    require(::dup2(out.get(), 1) == 1 && ::dup2(err.get(), 2) == 2,
            "cannot attach the journal streams");
}

} // namespace sctr::init
