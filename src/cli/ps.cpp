// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/output_format.hpp"
#include "cli/ps_filter.hpp"
#include "cli/ps_view.hpp"
#include "cli/request_builder.hpp"
#include "cli/target.hpp"
#include "cli/template_views.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/stored.hpp"
#include "container/system_containers.hpp"
#include "linux/clock.hpp"
#include "network/ports.hpp"
#include "network/state.hpp"

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
            rows.back().labels = definition.labels;
        }
    }
    for (const declared::Service& service : declared_containers()) {
        if (!records.has(service.container) && !store.has(service.container)) {
            rows.push_back(declared_row(service, records));
        }
    }
}

/// A container that ends meanwhile has none.
std::map<std::string, std::string> labels_in(const container::RecordStore& store,
                                             const std::string& name) {
    try {
        return labels_of(store.load_config(name).annotations);
    } catch (const Error&) {
        return {};
    }
}

std::vector<PsRow> own_rows(bool all, bool with_labels) {
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
            if (with_labels) {
                row.labels = labels_in(store, row.record.id);
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

/// How many are to be shown; nothing: all.
std::optional<std::size_t> newest(const std::optional<std::string>& last, bool latest) {
    if (latest && last) {
        throw Error("--latest says what --last 1 says").mend("give one");
    }
    if (last) {
        constexpr std::int64_t most = 1'000'000;
        return static_cast<std::size_t>(parse_in_range("--last", *last, 1, most));
    }
    return latest ? std::optional<std::size_t>(1) : std::nullopt;
}

std::vector<PsRow>
filtered_rows(const PsFilter& filter, bool all, std::optional<std::size_t> most, bool with_labels) {
    all = all || most || filter.wants_ended();
    if (is_for_system() && filter.wants_labels()) {
        throw Error("labels of the system's containers are root's to see")
            .at("--filter label")
            .mend("sudo sctr ps");
    }
    std::vector<PsRow> rows =
        is_for_system() ? system_rows(all) : own_rows(all, with_labels || filter.wants_labels());
    std::erase_if(rows, [&](const PsRow& row) { return !filter.takes(row); });
    if (most && rows.size() > *most) {
        std::ranges::stable_sort(
            rows, {}, [](const PsRow& row) { return row.record.created_usec; });
        rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(*most));
    }
    return rows;
}

/// What templates see of them.
std::vector<TemplateView> ps_views(const std::vector<PsRow>& rows) {
    std::vector<TemplateView> views;
    views.reserve(rows.size());
    for (const PsRow& row : rows) {
        PsExtras extras{.uptime = uptime_of(row, sys::since_boot_usec()),
                        .now_usec = sys::now_usec()};
        const auto attachment =
            is_for_system() ? std::nullopt : network::find_attachment(row.record.id);
        if (attachment) {
            for (const plan::PublishedPort& port : attachment->ports) {
                extras.ports.push_back(network::to_string(port));
            }
            for (const network::Attached& each : attachment->networks) {
                extras.networks.push_back(each.network.name);
            }
        }
        TemplateView json = ps_row_json(row);
        json["labels"] = row.labels;
        views.push_back(ps_view(std::move(json), extras));
    }
    return views;
}

} // namespace

int ps_verb(const Words& words) {
    bool all = false;
    bool json = false;
    bool quiet = false;
    bool latest = false;
    std::vector<std::string> filters;
    std::optional<std::string> last;
    std::optional<std::string> format_text;
    CLI::App app("Lists containers.", "sctr ps");
    describe(app,
             "[OPTIONS]",
             {"sctr ps",
              "sctr ps -a --json",
              "sctr ps --filter label=app=web --filter status=running",
              "sctr ps --format 'table {{.Names}}\\t{{.State}}\\t{{.Ports}}'",
              "sctr kill $(sctr ps -q)"});
    add_switch(app, "-a,--all", all, "stopped ones too");
    add_switch(app, "--json", json, "as a JSON array");
    add_switch(app, "-q,--quiet", quiet, "names alone");
    add_format(app, "--format", format_text);
    add_texts(app,
              "-f,--filter",
              filters,
              "name=, id=, status=, label=NAME[=VALUE], health=, exited=STATUS or ancestor=IMAGE");
    add_text(app, "-n,--last", last, "so many, the newest, stopped ones too");
    add_switch(app, "-l,--latest", latest, "the newest, stopped or not");
    parse_flags(app, words);

    const TypedNames typed(app, words);
    const auto format = as_typed(typed, [&] { return OutputFormat(format_text, json, quiet); });
    const std::vector<PsRow> rows = as_typed(typed, [&] {
        return filtered_rows(PsFilter(filters), all, newest(last, latest), format.is_template());
    });
    std::string text;
    if (quiet) {
        for (const PsRow& row : rows) {
            text += row.record.id + '\n';
        }
    } else if (format.is_template()) {
        text = format.lines(ps_views(rows));
    } else if (format.is_json()) {
        text = ps_json(rows);
    } else {
        text = ps_table(rows, sys::since_boot_usec());
    }
    std::fputs(text.c_str(), stdout);
    return 0;
}

} // namespace sctr::cli
