// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/stored.hpp"
#include "container/health_verbs.hpp"

#include <cstdio>

#include "base/error.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/names.hpp"
#include "cli/target.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/system_containers.hpp"
#include "storage/root.hpp"

/// The verbs of stored containers, which are services of systemd: start, restart, enable, disable,
/// rename; and wait, which is for all.
namespace sctr::cli {

using container::Stored;

namespace {

/// The health to wait for; nothing: the end.
std::optional<container::Health> parse_condition(const std::string& text) {
    if (text == "healthy") {
        return container::Health::healthy;
    }
    if (text == "unhealthy") {
        return container::Health::unhealthy;
    }
    if (text != "exited" && text != "stopped") {
        throw bad_value("--condition", text, "", "exited, healthy or unhealthy");
    }
    return std::nullopt;
}

/// The unit of a container that is not stored; empty: there is none.
std::string other_unit(const Stored& stored, const std::string& name) {
    const container::RecordStore records(container::RecordStore::default_root());
    return stored.has(name) ? "" : declared_unit(records, name);
}

void start(Stored& stored, const std::string& name) {
    const std::string unit = other_unit(stored, name);
    unit.empty() ? stored.start(name) : stored.start(name, unit);
}

void restart(Stored& stored, const std::string& name) {
    const std::string unit = other_unit(stored, name);
    unit.empty() ? stored.restart(name) : stored.restart(name, unit);
}

/// systemd does not change what a generator has made.
void refuse_declared_install(const Stored& stored, const std::string& name) {
    if (!stored.has(name)) {
        refuse_declared("enable or disable",
                        name,
                        "change WantedBy= in its [Install], then `systemctl daemon-reload`");
    }
}

} // namespace

int start_verb(const Words& words) {
    CLI::App app("Starts stored containers, as systemctl start sctr@NAME does.", "sctr start");
    describe(app, "NAME...", {"sctr start web", "sctr start web db"});
    const auto names = parse_names(app, words);
    if (is_for_system()) {
        container::SystemContainers system;
        return for_each_name(names, app, [&](const std::string& name) { system.start(name); });
    }
    Stored stored = Stored::own();
    return for_each_name(names, app, [&](const std::string& name) { start(stored, name); });
}

int restart_verb(const Words& words) {
    CLI::App app("Stops stored containers and starts them again.", "sctr restart");
    describe(app, "NAME...", {"sctr restart web"});
    const auto names = parse_names(app, words);
    if (is_for_system()) {
        container::SystemContainers system;
        return for_each_name(names, app, [&](const std::string& name) { system.restart(name); });
    }
    Stored stored = Stored::own();
    return for_each_name(names, app, [&](const std::string& name) { restart(stored, name); });
}

int enable_verb(const Words& words) {
    bool now = false;
    CLI::App app("Has systemd start stored containers at boot.", "sctr enable");
    describe(app, "[OPTIONS] NAME...", {"sctr enable web", "sctr enable --now web db"});
    add_switch(app, "--now", now, "start them, too");
    Stored stored = Stored::own();
    return for_each_name(parse_names(app, words), app, [&](const std::string& name) {
        refuse_declared_install(stored, name);
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
        refuse_declared_install(stored, name);
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
    describe(app,
             "[OPTIONS] NAME...",
             {"sctr wait web", "sctr wait job1 job2", "sctr wait --condition healthy web"});
    std::optional<std::string> condition;
    add_text(
        app, "--condition", condition, "what to wait for: exited (default), healthy, unhealthy");
    const auto names = parse_names(app, words);
    const auto health = parse_condition(condition.value_or("exited"));
    if (names.empty()) {
        throw Error("no container named").mend("see 'sctr wait --help'");
    }
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    const container::RecordStore records(container::RecordStore::default_root());
    for (const std::string& name : names) {
        container::check_id(name);
        if (health) {
            container::wait_for_health(records, name, *health);
            std::puts(container::to_string(*health));
            continue;
        }
        std::printf("%d\n", container::wait_for_exit(definitions, records, name));
    }
    return 0;
}

} // namespace sctr::cli
