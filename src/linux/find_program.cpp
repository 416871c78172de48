// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/find_program.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/strings.hpp"

namespace sctr::sys {

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    const std::string directories = std::string(path == nullptr ? "" : path) +
                                    ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    for (const std::string& directory : split(directories, ':')) {
        std::string program = directory + "/" + name;
        if (directory.starts_with('/') && ::access(program.c_str(), X_OK) == 0) {
            return program;
        }
    }
    return {};
}

} // namespace sctr::sys
