// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "storage/store.hpp"

namespace sctr::cli {

/// What an image that is here is for.
oci::Platform platform_of(const storage::Store& store, const oci::StoredImage& image);

/// Says on stderr that an image is of another machine, where nobody has asked for that.
void warn_of_platform(const std::string& name, const oci::StoredImage& image);

} // namespace sctr::cli
