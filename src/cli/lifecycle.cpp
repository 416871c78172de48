// SPDX-License-Identifier: LGPL-2.1-or-later
#include <chrono>
#include <csignal>
#include <functional>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/names.hpp"
#include "cli/removal.hpp"
#include "cli/target.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/stored.hpp"
#include "container/system_containers.hpp"

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
        throw bad_value(TypedNames(app, words).in("--signal", *signal_text),
                        *signal_text,
                        "no such signal",
                        "a name or a number: HUP");
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
        const std::string flag = TypedNames(app, words).in("--time", *seconds);
        timeout = std::chrono::seconds(parse_in_range(flag, *seconds, 0, day));
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
    Removal how;
    bool all = false;
    bool ignore = false;
    CLI::App app("Forgets stopped containers, stored ones with their services.", "sctr rm");
    describe(app, "[OPTIONS] NAME...", {"sctr rm web", "sctr rm -f web db", "sctr rm -af"});
    add_switch(app, "-a,--all", all, "every container, but for those that files describe");
    add_switch(
        app, "-f,--force", how.force, "kill what still runs first; what is not there is no error");
    add_switch(app, "-i,--ignore", ignore, "what is not there is no error");
    add_switch(app, "-v,--volumes", how.volumes, "its anonymous volumes, too");
    auto names = parse_names(app, words);
    if (all && !names.empty()) {
        throw Error("all are to go, and some are named, too").mend("see 'sctr rm --help'");
    }
    if (all) {
        names = removable_containers();
    }
    if (all && names.empty()) {
        return 0;
    }
    const auto remove = [&](const std::string& name) { remove_container(name, how); };
    if (!all && !how.force && !ignore) {
        return for_each_name(names, app, remove);
    }
    const auto is_there = [&](const std::string& name) {
        if (has_container(name)) {
            return true;
        }
        if (how.force) {
            container::end_scope_without_record(RecordStore(RecordStore::default_root()), name);
        }
        return false;
    };
    return for_each_present(names, app, is_there, remove);
}

} // namespace sctr::cli
