// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/ps_view.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/stored.hpp"
#include "container/system_containers.hpp"
#include "linux/clock.hpp"

namespace sctr::cli {

namespace {

/// Those that are stored and of which nothing is in memory: they do not run, or no longer since the
/// host was started.
void add_stored(std::vector<PsRow>& rows, const container::RecordStore& records) {
    container::Stored stored = container::Stored::own();
    stored.recover();
    const container::DefinitionStore& store = stored.definitions();
    for (const container::Definition& definition : store.list()) {
        if (!records.has(definition.name)) {
            rows.push_back(stored_row(definition, store.last_run(definition.name)));
        }
    }
    for (const declared::Service& service : declared_containers()) {
        if (!records.has(service.container) && !store.has(service.container)) {
            rows.push_back(declared_row(service, records));
        }
    }
}

std::vector<PsRow> own_rows(bool all) {
    const container::RecordStore store(container::RecordStore::default_root());
    std::vector<PsRow> rows;
    container::sweep(store);
    for (container::Record& record : store.list()) {
        const container::Status status = container::current_status(record);
        if (all || status != container::Status::stopped) {
            PsRow row{.record = std::move(record), .status = status};
            if (status != container::Status::stopped) {
                if (const auto state = container::load_health(store.root() + "/" + row.record.id)) {
                    row.health = state->health;
                }
            }
            rows.push_back(std::move(row));
        }
    }
    if (all) {
        add_stored(rows, store);
        std::ranges::stable_sort(
            rows, {}, [](const PsRow& row) { return row.record.created_usec; });
    }
    return rows;
}

std::vector<PsRow> system_rows(bool all) {
    auto containers = container::SystemContainers().list(all);
    std::vector<PsRow> rows;
    rows.reserve(containers.size());
    for (container::SystemContainer& found : containers) {
        rows.push_back({.record = std::move(found.record), .status = found.status});
    }
    return rows;
}

} // namespace

int ps_verb(const Words& words) {
    bool all = false;
    bool json = false;
    bool quiet = false;
    CLI::App app("Lists containers.", "sctr ps");
    describe(app, "[OPTIONS]", {"sctr ps", "sctr ps -a --json", "sctr kill $(sctr ps -q)"});
    add_switch(app, "-a,--all", all, "stopped ones too");
    add_switch(app, "--json", json, "as a JSON array");
    add_switch(app, "-q,--quiet", quiet, "names alone");
    parse_flags(app, words);

    const std::vector<PsRow> rows = is_for_system() ? system_rows(all) : own_rows(all);
    std::string text;
    if (quiet) {
        for (const PsRow& row : rows) {
            text += row.record.id + '\n';
        }
    } else if (json) {
        text = ps_json(rows);
    } else {
        text = ps_table(rows, sys::since_boot_usec());
    }
    std::fputs(text.c_str(), stdout);
    return 0;
}

} // namespace sctr::cli
