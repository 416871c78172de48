// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/spec.hpp"

/// Seccomp profiles as docker and podman keep them in files: the OCI format, with conditions on
/// rules and a map of architectures.
namespace sctr::oci {

struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;

    auto operator<=>(const KernelVersion&) const = default;
};

/// The version in "6.12.38+deb13-amd64" or "4.8"; nothing if it does not begin with one.
std::optional<KernelVersion> parse_kernel_version(std::string_view text);

/// What the conditions of a profile ask for.
struct ProfileTarget {
    std::vector<std::string> capabilities; ///< the container's bounding set
    std::string architecture;              ///< the native one, as "SCMP_ARCH_X86_64"
    KernelVersion kernel;
};

/// Reads a profile in docker's, podman's or the OCI format, and keeps the rules whose conditions
/// hold for this container. Every rule is judged as validate() does, whether it is kept or not.
///
/// Conditions are `includes` and `excludes` with `caps` (all included, none excluded), `arches`
/// (any, in Go's or libseccomp's words) and `minKernel`; an unknown one is refused, as without it
/// a rule could allow too much. Throws Error with the JSON pointer of what is wrong.
/// Sources: github.com/moby/profiles, seccomp; github.com/containers/common, pkg/seccomp.
Seccomp resolve_seccomp_profile(std::string_view json, const ProfileTarget& target);

} // namespace sctr::oci
