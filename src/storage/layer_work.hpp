// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/unique_fd.hpp"
#include "linux/process.hpp"

/// What sctr-layer does side by side.
namespace sctr::storage {

/// Something being done by a child, which leaves its answer in a file in memory.
struct Work {
    sys::Child child;
    UniqueFd result;
};

/// Throws Error when there can be no child.
Work begin(const std::function<std::string()>& task);

/// Waits for its answer. Throws the Error that it ended with; `place` is for one that was killed.
std::string end(Work& work, const std::string& place);

/// How many at once.
std::size_t side_by_side();

/// All that can be read. Throws Error.
std::string read_all(int fd);

} // namespace sctr::storage
