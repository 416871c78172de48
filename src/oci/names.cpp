// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/names.hpp"

#include <utility>

namespace sctr::oci {

const char* to_string(NamespaceType type) {
    switch (type) {
    case NamespaceType::pid:
        return "pid";
    case NamespaceType::network:
        return "network";
    case NamespaceType::mount:
        return "mount";
    case NamespaceType::ipc:
        return "ipc";
    case NamespaceType::uts:
        return "uts";
    case NamespaceType::user:
        return "user";
    case NamespaceType::cgroup:
        return "cgroup";
    case NamespaceType::time:
        return "time";
    }
    std::unreachable();
}

std::optional<NamespaceType> parse_namespace_type(std::string_view name) {
    for (const auto type : all_namespace_types) {
        if (name == to_string(type)) {
            return type;
        }
    }
    return std::nullopt;
}

} // namespace sctr::oci
