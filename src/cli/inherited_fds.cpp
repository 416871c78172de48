// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/inherited_fds.hpp"

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli {

container::PreservedFds take_preserved_fds(const IdentityFlags& flags) {
    constexpr std::int64_t most = 1024;
    const std::int64_t count =
        flags.preserve_fds ? parse_in_range("--preserve-fds", *flags.preserve_fds, 0, most) : 0;
    std::set<int> more;
    for (const std::string& text : flags.preserve_fd) {
        for (const std::string& word : split(text, ',')) {
            // 0, 1 and 2 it has anyway.
            more.insert(static_cast<int>(parse_in_range("--preserve-fd", word, 3, most)));
        }
    }
    return container::PreservedFds(static_cast<int>(count), more);
}

} // namespace sctr::cli
