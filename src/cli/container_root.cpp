// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/container_root.hpp"

#include "base/error.hpp"
#include "cli/log.hpp"

namespace sctr::cli {

std::optional<storage::ContainerRoot> make_container_root(const plan::Request& request) {
    if (request.overlay.lower.empty()) {
        return std::nullopt;
    }
    return storage::ContainerRoot(storage::Store::own(), request.id, request.overlay);
}

void remove_container_root(std::optional<storage::ContainerRoot>& root) {
    try {
        if (root) {
            root->remove();
        }
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

} // namespace sctr::cli
