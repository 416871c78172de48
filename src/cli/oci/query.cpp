// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pwd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/process_table.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"

/// state, list and ps.
namespace sctr::cli::engine {
namespace {

using container::Record;
using container::Status;
using nlohmann::ordered_json;

std::string owner_of(const Record& record) {
    const struct passwd* account = ::getpwuid(record.owner);
    return account != nullptr ? account->pw_name : std::to_string(record.owner);
}

/// The state of runtime-spec (runtime.md), and what runc adds to it.
ordered_json state_json(const Record& record, const oci::Spec& config) {
    const Status status = container::current_status(record);
    ordered_json json{{"ociVersion", config.oci_version},
                      {"id", record.id},
                      {"pid", status == Status::stopped ? 0 : record.pid},
                      {"status", to_string(status)},
                      {"bundle", record.bundle},
                      {"rootfs", record.rootfs},
                      {"created", timestamp(record.created_usec)},
                      {"owner", owner_of(record)},
                      {"systemd-scope", record.unit}};
    if (!config.annotations.empty()) {
        json["annotations"] = config.annotations;
    }
    return json;
}

void print_table(const std::vector<Record>& records) {
    Table table({"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"});
    for (const Record& record : records) {
        const Status status = container::current_status(record);
        table.add({record.id,
                   std::to_string(status == Status::stopped ? 0 : record.pid),
                   to_string(status),
                   record.bundle,
                   timestamp(record.created_usec),
                   owner_of(record)});
    }
    std::fputs(table.text().c_str(), stdout);
}

std::string checked_format(const std::optional<std::string>& flag) {
    const std::string format = flag.value_or("table");
    if (format != "table" && format != "json") {
        throw bad_value("--format", format, "", "table or json");
    }
    return format;
}

} // namespace

int state_verb(const Globals& globals, const Words& words) {
    CLI::App app("Prints the state of a container.", "sctr-oci state");
    describe(app, "ID", {"sctr-oci state web"});
    const std::string id = only_id(parse_names(app, words), "state");
    const container::RecordStore store = store_of(globals);
    std::puts(json_text(state_json(store.load(id), store.load_config(id))).c_str());
    return 0;
}

int list_verb(const Globals& globals, const Words& words) {
    std::optional<std::string> format;
    bool quiet = false;
    CLI::App app("Lists containers.", "sctr-oci list");
    describe(app, "[OPTIONS]", {"sctr-oci list", "sctr-oci list -q"});
    add_text(app, "-f,--format", format, "table or json");
    add_switch(app, "-q,--quiet", quiet, "ids alone");
    parse_flags(app, words);
    const container::RecordStore store = store_of(globals);
    const std::vector<Record> records = store.list();
    const bool as_json = checked_format(format) == "json";
    if (quiet) {
        for (const Record& record : records) {
            std::puts(record.id.c_str());
        }
    } else if (as_json) {
        auto list = ordered_json::array();
        for (const Record& record : records) {
            list.push_back(state_json(record, store.load_config(record.id)));
        }
        std::puts(json_text(list).c_str());
    } else {
        print_table(records);
    }
    return 0;
}

int ps_verb(const Globals& globals, const Words& words) {
    std::optional<std::string> format;
    CLI::App app("Lists the processes of a container.", "sctr-oci ps");
    describe(app, "[OPTIONS] ID [PS OPTIONS]", {"sctr-oci ps web", "sctr-oci ps web -o pid,comm"});
    add_text(app, "-f,--format", format, "table or json");
    auto [flags, rest] = split_words(app, words);
    parse_flags(app, flags);
    const std::string id = only_id({rest.begin(), rest.begin() + (rest.empty() ? 0 : 1)}, "ps");
    const std::vector<pid_t> pids = container::processes(store_of(globals), id);
    if (checked_format(format) == "json") {
        std::puts(ordered_json(pids).dump().c_str());
    } else {
        std::fputs(process_table(pids, {rest.begin() + 1, rest.end()}).c_str(), stdout);
    }
    return 0;
}

} // namespace sctr::cli::engine
