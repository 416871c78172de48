// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/ps_view.hpp"
#include "cli/verbs.hpp"
#include "container/stored.hpp"
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

    const container::RecordStore store(container::RecordStore::default_root());
    std::vector<PsRow> rows;
    container::sweep(store);
    for (container::Record& record : store.list()) {
        const container::Status status = container::current_status(record);
        if (all || status != container::Status::stopped) {
            rows.push_back({.record = std::move(record), .status = status});
        }
    }
    if (all) {
        add_stored(rows, store);
        std::ranges::stable_sort(
            rows, {}, [](const PsRow& row) { return row.record.created_usec; });
    }
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
