// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/made_from.hpp"

#include <ranges>
#include <string_view>

#include "cli/request_builder.hpp"
#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"

namespace sctr::cli {

namespace {

/// The definition names it last of all (service_flags.cpp).
std::string lower_of(const container::Definition& definition) {
    constexpr std::string_view flag = "--rootfs=";
    constexpr std::string_view suffix = ":O";
    for (const std::string& word : std::views::reverse(definition.flags)) {
        if (word.starts_with(flag)) {
            return word.ends_with(suffix)
                       ? word.substr(flag.size(), word.size() - flag.size() - suffix.size())
                       : "";
        }
    }
    return "";
}

} // namespace

MadeFrom made_from(const std::string& name) {
    container::check_id(name);
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    if (stored.has(name)) {
        const container::Definition definition = stored.load(name);
        return {.image_digest = definition.image_digest,
                .rootfs = definition.rootfs,
                .lower = lower_of(definition)};
    }
    const container::RecordStore records(container::RecordStore::default_root());
    const auto [record, config] = container::load_settled(records, name);
    const auto digest = config.annotations.find("io.sctr.image.digest");
    const auto lower = config.annotations.find(lower_annotation);
    return {.image_digest = digest != config.annotations.end() ? digest->second : "",
            .rootfs = record.rootfs,
            .lower = lower != config.annotations.end() ? lower->second : ""};
}

} // namespace sctr::cli
