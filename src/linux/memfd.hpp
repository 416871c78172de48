// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// A file in memory with these bytes, sealed against every change; `executable` if it is to be
/// run. Throws Error. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.
UniqueFd sealed_memfd(const char* name, std::string_view bytes, bool executable);

/// An empty file in memory, to be written and read. Throws Error.
UniqueFd memory_file(const char* name);

} // namespace sctr::sys
