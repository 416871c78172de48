// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "oci/spec.hpp"

namespace sctr::oci {

inline constexpr std::array all_namespace_types = {
    NamespaceType::pid,
    NamespaceType::network,
    NamespaceType::mount,
    NamespaceType::ipc,
    NamespaceType::uts,
    NamespaceType::user,
    NamespaceType::cgroup,
    NamespaceType::time,
};

/// The namespace type of the spec's word for it ("network"); nothing if there is none.
std::optional<NamespaceType> parse_namespace_type(std::string_view name);

} // namespace sctr::oci
