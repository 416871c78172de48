// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/preserved_fds.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::container {

PreservedFds::PreservedFds(int count) {
    constexpr int first = 3;
    constexpr int first_free = 10; // as sys::raise_fd
    for (int fd = first; fd < first + count; ++fd) {
        fds_.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, first_free));
        if (!fds_.back().valid()) {
            throw Error("cannot preserve a file descriptor")
                .at(std::to_string(fd))
                .because(errno)
                .mend("--preserve-fds counts the open ones from 3 on");
        }
        numbers_.push_back(fds_.back().get());
    }
}

} // namespace sctr::container
