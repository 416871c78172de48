// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

/// What templates of --format see: sctr's own JSON, and beside it the names by which docker and
/// podman call the same. What may be missing in the JSON is there, as nothing, so that a template
/// can ask for it. Pure. Source: docker, "Format command and log output" and the fields of each
/// command; podman-ps(1), podman-inspect(1), podman-images(1).
namespace sctr::cli {

using TemplateView = nlohmann::ordered_json;

/// What `ps --json` does not say of a container.
struct PsExtras {
    std::vector<std::string> ports; ///< as --publish takes them
    std::vector<std::string> networks;
    std::string uptime; ///< "3 minutes"; of one that runs
    std::int64_t now_usec = 0;
};

/// One row of `ps`, of its JSON with "labels".
TemplateView ps_view(TemplateView row, const PsExtras& extras);

/// One container of `inspect`.
TemplateView container_view(TemplateView inspected);

/// An image of `images --json` as docker and podman list it, once for each of its names.
std::vector<TemplateView> image_rows(const TemplateView& image, std::int64_t now_usec);

/// One image of `image inspect`.
TemplateView image_view(TemplateView inspected);

/// One of `volume ls --json` and `volume inspect`.
TemplateView volume_view(TemplateView volume);

/// One of `network ls --json` and `network inspect`.
TemplateView network_view(TemplateView network);

/// One line of `image history`.
TemplateView history_view(TemplateView entry);

/// One of `events --json`.
TemplateView event_view(TemplateView event);

} // namespace sctr::cli
