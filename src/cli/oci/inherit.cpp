// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/oci/inherit.hpp"

#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli::engine {

namespace {

constexpr std::int64_t most_fds = 1024;

std::int64_t environment_number(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? 0 : parse_int(text).value_or(0);
}

int listen_fds() {
    const std::int64_t count = environment_number("LISTEN_FDS");
    const bool is_ours = environment_number("LISTEN_PID") == ::getpid();
    return is_ours && count > 0 && count <= most_fds ? static_cast<int>(count) : 0;
}

} // namespace

container::PreservedFds take_preserved_fds(const std::optional<std::string>& flag) {
    const std::int64_t count = flag ? parse_in_range("--preserve-fds", *flag, 0, most_fds) : 0;
    return container::PreservedFds(listen_fds() + static_cast<int>(count));
}

void announce_listen_fds(oci::Process& process) {
    const int count = listen_fds();
    if (count == 0) {
        return;
    }
    process.env.push_back("LISTEN_FDS=" + std::to_string(count));
    process.env.emplace_back("LISTEN_PID=1");
    if (const char* names = std::getenv("LISTEN_FDNAMES"); names != nullptr) {
        process.env.push_back(std::string("LISTEN_FDNAMES=") + names);
    }
}

} // namespace sctr::cli::engine
