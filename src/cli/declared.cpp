// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/declared.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/id.hpp"
#include "container/service_runs.hpp"
#include "declared/search.hpp"
#include "host/caller.hpp"

namespace sctr::cli {

std::vector<declared::Service> declared_containers() {
    std::vector<declared::Problem> ignored; // sctr-generator and sctr generate tell them
    std::vector<declared::Service> found;
    const auto directories = declared::directories(!host::caller().is_system);
    const auto all = declared::find_sources(directories, ignored);
    const declared::Names names = declared::names_of(all);
    for (const auto& sources : all) {
        auto service = declared::make_service(sources, SCTR_PROGRAM, names);
        if (service.problems.empty() && container::is_id(service.container)) {
            found.push_back(std::move(service));
        }
    }
    return found;
}

std::optional<declared::Service> find_declared(const std::string& name) {
    auto all = declared_containers();
    const auto found = std::ranges::find(all, name, &declared::Service::container);
    return found == all.end() ? std::nullopt : std::optional(std::move(*found));
}

std::string declared_unit(const container::RecordStore& records, const std::string& name) {
    if (records.has(name)) {
        if (const auto record = records.load(name); !record.service_unit.empty()) {
            return record.service_unit;
        }
    }
    const auto service = find_declared(name);
    return service ? service->unit : "";
}

PsRow declared_row(const declared::Service& service, const container::RecordStore& records) {
    std::string description = service.description;
    if (description.empty()) {
        description = (service.image.empty() ? service.rootfs : service.image) + ": " +
                      join(service.command, " ");
    }
    container::Definition definition{.name = service.container,
                                     .description = std::move(description),
                                     .rootfs = service.rootfs,
                                     .image = service.image};
    PsRow row =
        stored_row(definition, container::ServiceRuns(records.root()).load(service.container));
    row.record.unit = service.unit;
    return row;
}

void refuse_declared(const std::string& what, const std::string& name, const std::string& mend) {
    if (const auto service = find_declared(name)) {
        throw Error("cannot " + what + " the container")
            .at(name)
            .because("the file " + service->file + " describes it")
            .mend(mend);
    }
}

} // namespace sctr::cli
