// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"

/// kill, delete, pause and resume.
namespace sctr::cli::engine {

int kill_verb(const Globals& globals, const Words& words) {
    bool all = false;
    CLI::App app("Sends a signal to a container.", "sctr-oci kill");
    describe(app, "[OPTIONS] ID [SIGNAL]", {"sctr-oci kill web KILL", "sctr-oci kill --all web 9"});
    add_switch(app, "-a,--all", all, "every process of the container, not only its first");
    std::vector<std::string> names = parse_names(app, words);
    int signal = SIGTERM;
    if (names.size() == 2) {
        const auto number = parse_signal(names.back());
        if (!number) {
            throw bad_value("SIGNAL", names.back(), "no such signal", "a name or a number: TERM");
        }
        signal = *number;
        names.pop_back();
    }
    const std::string id = only_id(names, "kill");
    const container::RecordStore store = store_of(globals);
    if (all) {
        container::kill_all(store, id, signal);
    } else {
        container::kill(store, id, signal, false);
    }
    return 0;
}

int delete_verb(const Globals& globals, const Words& words) {
    bool force = false;
    CLI::App app("Forgets a stopped container.", "sctr-oci delete");
    describe(app, "[OPTIONS] ID", {"sctr-oci delete web", "sctr-oci delete --force web"});
    add_switch(app, "-f,--force", force, "kill what still runs first");
    const std::string id = only_id(parse_names(app, words), "delete"); // which sets force
    container::remove_engine(store_of(globals), id, force, print_warning);
    return 0;
}

int pause_verb(const Globals& globals, const Words& words) {
    CLI::App app("Freezes every process of a container.", "sctr-oci pause");
    describe(app, "ID", {"sctr-oci pause web"});
    container::pause(store_of(globals), only_id(parse_names(app, words), "pause"));
    return 0;
}

int resume_verb(const Globals& globals, const Words& words) {
    CLI::App app("Lets a paused container run again.", "sctr-oci resume");
    describe(app, "ID", {"sctr-oci resume web"});
    container::unpause(store_of(globals), only_id(parse_names(app, words), "resume"));
    return 0;
}

} // namespace sctr::cli::engine
