// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/made_from.hpp"

#include <unistd.h>

#include <ranges>
#include <string_view>
#include <utility>

#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/id_maps.hpp"

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

std::optional<plan::KeptIds> kept_of(const container::Definition& definition) {
    container::OwnIds own = container::own_ids();
    if (own.uids.empty()) {
        return std::nullopt;
    }
    RootfsFacts facts;
    facts.own_uids = std::move(own.uids);
    facts.own_gids = std::move(own.gids);
    return kept_ids(parse_run_flags(words_of(definition)).namespaces, facts);
}

std::optional<plan::KeptIds> kept_of(const oci::Linux& config) {
    const auto uid = plan::container_id(config.uid_mappings, ::geteuid());
    const auto gid = plan::container_id(config.gid_mappings, ::getegid());
    if (::geteuid() == 0 || !uid || !gid || (*uid == 0 && *gid == 0)) {
        return std::nullopt;
    }
    return plan::KeptIds{.uid = *uid, .gid = *gid};
}

} // namespace

MadeFrom made_from(const std::string& name) {
    container::check_id(name);
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    if (stored.has(name)) {
        const container::Definition definition = stored.load(name);
        return {.image_digest = definition.image_digest,
                .rootfs = definition.rootfs,
                .lower = lower_of(definition),
                .kept = kept_of(definition)};
    }
    const container::RecordStore records(container::RecordStore::default_root());
    const auto [record, config] = container::load_settled(records, name);
    const auto digest = config.annotations.find(image_digest_annotation);
    const auto lower = config.annotations.find(lower_annotation);
    return {.image_digest = digest != config.annotations.end() ? digest->second : "",
            .rootfs = record.rootfs,
            .lower = lower != config.annotations.end() ? lower->second : "",
            .kept = kept_of(config.linux)};
}

} // namespace sctr::cli
