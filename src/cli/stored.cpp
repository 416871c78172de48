// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/stored.hpp"

#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "storage/root.hpp"

/// The verbs of stored containers, which are services of systemd: start, restart, enable, disable,
/// rename; and wait, which is for all.
namespace sctr::cli {

using container::Stored;

int start_verb(const Words& words) {
    CLI::App app("Starts stored containers, as systemctl start sctr@NAME does.", "sctr start");
    describe(app, "NAME...", {"sctr start web", "sctr start web db"});
    Stored stored = Stored::own();
    return for_each_name(
        parse_names(app, words), app, [&](const std::string& name) { stored.start(name); });
}

int restart_verb(const Words& words) {
    CLI::App app("Stops stored containers and starts them again.", "sctr restart");
    describe(app, "NAME...", {"sctr restart web"});
    Stored stored = Stored::own();
    return for_each_name(
        parse_names(app, words), app, [&](const std::string& name) { stored.restart(name); });
}

int enable_verb(const Words& words) {
    bool now = false;
    CLI::App app("Has systemd start stored containers at boot.", "sctr enable");
    describe(app, "[OPTIONS] NAME...", {"sctr enable web", "sctr enable --now web db"});
    add_switch(app, "--now", now, "start them, too");
    Stored stored = Stored::own();
    return for_each_name(parse_names(app, words), app, [&](const std::string& name) {
        stored.enable(name);
        if (now) {
            stored.start(name);
        }
    });
}

int disable_verb(const Words& words) {
    bool now = false;
    CLI::App app("Has systemd no longer start stored containers at boot.", "sctr disable");
    describe(app, "[OPTIONS] NAME...", {"sctr disable web", "sctr disable --now web"});
    add_switch(app, "--now", now, "stop them, too");
    Stored stored = Stored::own();
    return for_each_name(parse_names(app, words), app, [&](const std::string& name) {
        stored.disable(name);
        if (now) {
            stored.stop(name, std::nullopt);
        }
    });
}

int rename_verb(const Words& words) {
    CLI::App app("Gives a stored container that does not run another name.", "sctr rename");
    describe(app, "NAME NEW-NAME", {"sctr rename web old-web"});
    const auto names = parse_names(app, words);
    if (names.size() != 2) {
        throw Error("a name and a new name are needed").mend("see 'sctr rename --help'");
    }
    for (const std::string& name : names) {
        container::check_id(name);
    }
    Stored::own().rename(names.front(), names.back());
    storage::rename_root(storage::Store::own(), names.front(), names.back());
    return 0;
}

int wait_verb(const Words& words) {
    CLI::App app("Waits until containers have ended and prints their exit statuses.", "sctr wait");
    describe(app, "NAME...", {"sctr wait web", "sctr wait job1 job2"});
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no container named").mend("see 'sctr wait --help'");
    }
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    const container::RecordStore records(container::RecordStore::default_root());
    for (const std::string& name : names) {
        container::check_id(name);
        std::printf("%d\n", container::wait_for_exit(definitions, records, name));
    }
    return 0;
}

} // namespace sctr::cli
