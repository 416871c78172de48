// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/image.hpp"

/// The machines that images are for, in the words of image-spec, config.md.
namespace sctr::storage {

/// OS/ARCHITECTURE[/VARIANT], also with the kernel's names of machines ("linux/x86_64"). Throws
/// Error of --platform.
oci::Platform parse_platform(const std::string& text);

/// "linux/arm64", "linux/arm/v7".
std::string platform_text(const oci::Platform& platform);

/// Whether an image for the one is what is meant by the other. A variant counts where both have
/// one; what is built for an earlier one of ARM runs on a later.
bool is_for_platform(const oci::Platform& image, const oci::Platform& wanted);

/// As images name this machine's.
std::string own_architecture();

} // namespace sctr::storage
