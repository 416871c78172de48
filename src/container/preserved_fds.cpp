// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/preserved_fds.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"

namespace sctr::container {

namespace {

constexpr int first_fd = 3;

} // namespace

void PreservedFds::take(int fd, const char* mend) {
    constexpr int first_free = 10; // as sys::raise_fd
    fds_.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, first_free));
    if (!fds_.back().valid()) {
        throw Error("cannot preserve a file descriptor")
            .at(std::to_string(fd))
            .because(errno)
            .mend(mend);
    }
    const auto place = static_cast<std::size_t>(fd - first_fd);
    numbers_.resize(std::max(numbers_.size(), place + 1), -1);
    numbers_[place] = fds_.back().get();
}

PreservedFds::PreservedFds(int count, const std::set<int>& more) {
    for (int fd = first_fd; fd < first_fd + count; ++fd) {
        take(fd, "--preserve-fds counts the open ones from 3 on");
    }
    for (const int fd : more) {
        if (fd >= first_fd + count) {
            take(fd, "--preserve-fd names open ones");
        }
    }
}

} // namespace sctr::container
