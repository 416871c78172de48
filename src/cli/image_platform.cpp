// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_platform.hpp"

#include "cli/log.hpp"
#include "linux/procfs.hpp"
#include "storage/platform.hpp"

namespace sctr::cli {

oci::Platform platform_of(const storage::Store& store, const oci::StoredImage& image) {
    const auto text = sys::read_small_file(store.blob(image.id)); // the record has no variant
    const std::string variant = text ? oci::parse_image_config(*text).variant : "";
    return {.architecture = image.architecture, .os = image.os, .variant = variant};
}

void warn_of_platform(const std::string& name, const oci::StoredImage& image) {
    const oci::Platform own{.architecture = storage::own_architecture(), .os = "linux"};
    const oci::Platform found{.architecture = image.architecture, .os = image.os};
    const bool is_older = own.architecture == "amd64" && found.architecture == "386";
    if (!storage::is_for_platform(found, own) && !is_older && !found.architecture.empty()) {
        log(LogLevel::warn,
            name + " is for " + storage::platform_text(found) + ", and this machine is " +
                storage::platform_text(own));
    }
}

} // namespace sctr::cli
