// SPDX-License-Identifier: LGPL-2.1-or-later
#include <chrono>
#include <csignal>
#include <functional>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/log.hpp"
#include "cli/names.hpp"
#include "cli/request_builder.hpp"
#include "cli/target.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/stored.hpp"
#include "container/system_containers.hpp"
#include "storage/root.hpp"
#include "storage/volumes.hpp"

/// The verbs that do one thing to each container named: kill, stop, pause, unpause, rm.
namespace sctr::cli {
namespace {

using container::RecordStore;
using container::SystemContainers;

/// What is stored and does not run has no record.
void require_record(const RecordStore& store, const std::string& name) {
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    if (!store.has(name) && (stored.has(name) || find_declared(name))) {
        throw Error("container not running").at(name).mend("sctr start " + name);
    }
}

int for_each_running(const std::vector<std::string>& names,
                     const CLI::App& app,
                     const std::function<void(const RecordStore&, const std::string&)>& act) {
    const RecordStore store(RecordStore::default_root());
    return for_each_name(names, app, [&](const std::string& name) {
        require_record(store, name);
        act(store, name);
    });
}

/// Throws Error for what systemd cannot do with a scope.
void kill_in_system(SystemContainers& system, const std::string& name, int signal, bool all) {
    if (signal != SIGKILL && !all) {
        throw Error("cannot signal the container's first process alone")
            .at(name)
            .because("systemd signals every process of a scope")
            .mend("use --all, or become root");
    }
    system.kill(name, signal);
}

std::string volume_owner_of(const container::DefinitionStore& stored,
                            const RecordStore& records,
                            const std::string& name) {
    if (stored.has(name)) {
        return stored.load(name).volume_owner;
    }
    if (!records.has(name)) {
        return {};
    }
    const auto annotations = records.load_config(name).annotations;
    const auto found = annotations.find(volume_owner_annotation);
    return found != annotations.end() ? found->second : "";
}

void remove_files(const std::string& name, const std::string& volume_owner) {
    const storage::Store store = storage::Store::own();
    storage::remove_root(store, name);
    storage::remove_volumes_of(store, volume_owner);
}

} // namespace

int kill_verb(const Words& words) {
    std::optional<std::string> signal_text;
    bool all = false;
    CLI::App app("Sends a signal to containers.", "sctr kill");
    describe(app,
             "[OPTIONS] NAME...",
             {"sctr kill web", "sctr kill -s HUP web", "sctr kill --all -s TERM web db"});
    add_text(app, "-s,--signal", signal_text, "name or number (default: KILL)");
    add_switch(app, "-a,--all", all, "every process of the container, not only its first");
    const auto names = parse_names(app, words);
    const auto number = signal_text ? parse_signal(*signal_text) : SIGKILL;
    if (!number) {
        throw bad_value("--signal", *signal_text, "no such signal", "a name or a number: HUP");
    }
    if (is_for_system()) {
        SystemContainers system;
        return for_each_name(names, app, [&](const std::string& name) {
            kill_in_system(system, name, *number, all);
        });
    }
    return for_each_running(names, app, [&](const RecordStore& store, const std::string& name) {
        container::kill(store, name, *number, all);
    });
}

int stop_verb(const Words& words) {
    std::optional<std::string> seconds;
    CLI::App app("Asks containers to end, and kills those that do not in time.", "sctr stop");
    describe(
        app, "[OPTIONS] NAME...", {"sctr stop web", "sctr stop -t 60 db", "sctr stop -t 0 a b"});
    add_text(app, "-t,--time", seconds, "seconds until SIGKILL (default: the container's own)");
    const auto names = parse_names(app, words);
    constexpr std::int64_t day = 24L * 3600;
    std::optional<std::chrono::microseconds> timeout;
    if (seconds) {
        timeout = std::chrono::seconds(parse_in_range("--time", *seconds, 0, day));
    }
    if (is_for_system()) {
        SystemContainers system;
        return for_each_name(
            names, app, [&](const std::string& name) { system.stop(name, timeout); });
    }
    const RecordStore store(RecordStore::default_root());
    container::Stored stored = container::Stored::own();
    return for_each_name(names, app, [&](const std::string& name) {
        if (stored.has(name)) {
            stored.stop(name, timeout);
        } else if (const std::string unit = declared_unit(store, name); !unit.empty()) {
            stored.stop(name, unit, timeout);
        } else {
            container::stop(store, name, timeout.transform([](std::chrono::microseconds usec) {
                return usec.count();
            }));
        }
    });
}

int pause_verb(const Words& words) {
    CLI::App app("Freezes every process of containers.", "sctr pause");
    describe(app, "NAME...", {"sctr pause web", "sctr pause web db"});
    const auto names = parse_names(app, words);
    if (is_for_system()) {
        SystemContainers system;
        return for_each_name(names, app, [&](const std::string& name) { system.pause(name); });
    }
    return for_each_running(names, app, container::pause);
}

int unpause_verb(const Words& words) {
    CLI::App app("Lets paused containers run again.", "sctr unpause");
    describe(app, "NAME...", {"sctr unpause web", "sctr unpause web db"});
    const auto names = parse_names(app, words);
    if (is_for_system()) {
        SystemContainers system;
        return for_each_name(names, app, [&](const std::string& name) { system.unpause(name); });
    }
    return for_each_running(names, app, container::unpause);
}

int rm_verb(const Words& words) {
    bool force = false;
    bool volumes = false;
    CLI::App app("Forgets stopped containers, stored ones with their services.", "sctr rm");
    describe(app, "[OPTIONS] NAME...", {"sctr rm web", "sctr rm -f web db"});
    add_switch(app, "-f,--force", force, "kill what still runs first");
    add_switch(app, "-v,--volumes", volumes, "its anonymous volumes, too");
    const auto names = parse_names(app, words);
    const RecordStore store(RecordStore::default_root());
    container::Stored stored = container::Stored::own();
    return for_each_name(names, app, [&](const std::string& name) {
        const std::string volume_owner =
            volumes ? volume_owner_of(stored.definitions(), store, name) : "";
        if (stored.has(name)) {
            stored.remove(name, force);
            remove_files(name, volume_owner);
            return;
        }
        refuse_declared("remove",
                        name,
                        "stop it with 'sctr stop " + name +
                            "', remove the file, then `systemctl daemon-reload`");
        if (const std::string unit = declared_unit(store, name); force && !unit.empty()) {
            stored.stop(name, unit, std::chrono::microseconds(0)); // else it might be started again
        } else {
            container::remove(
                store, name, force, [](const Error& error) { log(LogLevel::warn, error.what()); });
        }
        remove_files(name, volume_owner);
    });
}

} // namespace sctr::cli
