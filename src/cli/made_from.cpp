// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/made_from.hpp"

#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"

namespace sctr::cli {

MadeFrom made_from(const std::string& name) {
    container::check_id(name);
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    if (stored.has(name)) {
        const container::Definition definition = stored.load(name);
        return {.image_digest = definition.image_digest, .rootfs = definition.rootfs};
    }
    const container::RecordStore records(container::RecordStore::default_root());
    const auto [record, config] = container::load_settled(records, name);
    const auto digest = config.annotations.find("io.sctr.image.digest");
    return {.image_digest = digest != config.annotations.end() ? digest->second : "",
            .rootfs = record.rootfs};
}

} // namespace sctr::cli
