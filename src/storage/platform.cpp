// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/platform.hpp"

#include <sys/utsname.h>

#include <map>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::storage {

namespace {

/// As Go names machines, which is how images name them, by the kernel's names.
std::string architecture_of(const std::string& machine) {
    static const std::map<std::string, std::string> known{
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "386"}, {"armv7l", "arm"}};
    const auto found = known.find(machine);
    return found != known.end() ? found->second : machine;
}

} // namespace

oci::Platform parse_platform(const std::string& text) {
    const auto parts = split(text, '/');
    if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty()) {
        throw Error("invalid value '" + text + "'")
            .at("--platform")
            .mend("OS/ARCHITECTURE[/VARIANT], as linux/arm64");
    }
    return {.architecture = architecture_of(parts[1]),
            .os = parts[0],
            .variant = parts.size() == 3 ? parts[2] : ""};
}

std::string platform_text(const oci::Platform& platform) {
    return platform.os + "/" + platform.architecture +
           (platform.variant.empty() ? "" : "/" + platform.variant);
}

bool is_for_platform(const oci::Platform& image, const oci::Platform& wanted) {
    const bool is_variant_known = !image.variant.empty() && !wanted.variant.empty();
    return image.os == wanted.os && image.architecture == wanted.architecture &&
           (!is_variant_known || image.variant == wanted.variant ||
            (wanted.architecture == "arm" && image.variant < wanted.variant)); // "v6", "v7"
}

std::string own_architecture() {
    struct utsname name{};
    ::uname(&name);
    return architecture_of(name.machine);
}

} // namespace sctr::storage
