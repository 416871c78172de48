// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_work.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/error_data.hpp"

namespace sctr::storage {

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    ssize_t size = 0;
    while ((size = ::read(fd, buffer, sizeof buffer)) != 0) {
        if (size > 0) {
            text.append(buffer, static_cast<std::size_t>(size));
        } else if (errno != EINTR) {
            throw Error("cannot read what is to be done").because(errno);
        }
    }
    return text;
}

Work begin(const std::function<std::string()>& task) {
    UniqueFd result(::memfd_create("sctr-layer", MFD_CLOEXEC));
    if (!result.valid()) {
        throw Error("cannot make a file in memory").because(errno);
    }
    sys::Child child = sys::fork_child(0, [&] {
        std::string text;
        try {
            text = task();
        } catch (const std::exception& error) {
            const auto* ours = dynamic_cast<const Error*>(&error);
            text = error_data(ours != nullptr ? *ours : Error(error.what()));
            (void)!::write(result.get(), text.data(), text.size());
            ::_exit(1);
        }
        if (::write(result.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            ::_exit(2);
        }
    });
    return {.child = std::move(child), .result = std::move(result)};
}

/// Its answer. Throws the Error that it ended with.
std::string end(Work& work, const std::string& place) {
    const int status = work.child.wait();
    ::lseek(work.result.get(), 0, SEEK_SET);
    std::string text = read_all(work.result.get());
    if (auto error = status == 1 ? error_from_data(text) : std::nullopt) {
        throw Error(*error);
    }
    if (status == 128 + SIGPIPE) {
        throw Error("cannot read the layer").at(place).because(EPIPE);
    }
    if (status != 0) {
        throw Error("cannot read the layer")
            .at(place)
            .because("its reader ended with status " + std::to_string(status));
    }
    return text;
}

std::size_t side_by_side() {
    return static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

} // namespace sctr::storage
