// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/process_table.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/system_containers.hpp"

namespace sctr::cli {

int top_verb(const Words& words) {
    CLI::App app("Lists the processes of a container, with the host's pids.", "sctr top");
    describe(app,
             "NAME [PS OPTIONS]",
             {"sctr top web", "sctr top web aux", "sctr top web -o pid,user,rss,args"});
    auto [flags, rest] = split_words(app, words);
    parse_flags(app, flags);
    if (rest.empty()) {
        throw Error("no container named").mend("see 'sctr top --help'");
    }
    container::check_id(rest.front());
    const std::vector<pid_t> pids =
        is_for_system()
            ? container::processes_of_cgroup(
                  container::SystemContainers().running(rest.front()).record.cgroup)
            : container::processes(container::RecordStore(container::RecordStore::default_root()),
                                   rest.front());
    std::fputs(process_table(pids, {rest.begin() + 1, rest.end()}).c_str(), stdout);
    return 0;
}

} // namespace sctr::cli
