// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cli/run_flags.hpp"
#include "storage/skopeo.hpp"

namespace sctr::cli {

/// What skopeo is told. Throws Error for a platform that is named twice, and for values that mean
/// nothing.
storage::TransferOptions transfer_options(const FetchFlags& flags);

/// The flag among these that says how an image is fetched; a null pointer where there is none but
/// --quiet.
const char* first_fetch_flag(const FetchFlags& flags);

} // namespace sctr::cli
