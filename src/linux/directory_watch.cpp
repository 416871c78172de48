// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/directory_watch.hpp"

#include <fcntl.h>

#include <csignal>

namespace sctr::sys {

UniqueFd watch_directory(const std::string& path) {
    constexpr unsigned long changes =
        DN_CREATE | DN_MODIFY | DN_RENAME | DN_DELETE | static_cast<unsigned>(DN_MULTISHOT);
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Not the SIGIO that it is without asking: that ends who does not wait for it.
    if (!directory.valid() || ::fcntl(directory.get(), F_SETSIG, SIGURG) < 0 ||
        ::fcntl(directory.get(), F_NOTIFY, changes) < 0) {
        return {};
    }
    return directory;
}

} // namespace sctr::sys
