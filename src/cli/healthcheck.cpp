// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/health_verbs.hpp"
#include "container/id.hpp"

namespace sctr::cli {

int healthcheck_verb(const Words& words) {
    CLI::App app("Makes one health check of a running container now: status 0 when it is good, 1 "
                 "when it is not.",
                 "sctr healthcheck");
    describe(app, "NAME", {"sctr healthcheck web", "sctr inspect web | jq '.[0].health'"});
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error(names.empty() ? "no container named" : "more than one container named")
            .mend("see 'sctr healthcheck --help'");
    }
    container::check_id(names.front());
    const container::RecordStore store(container::RecordStore::default_root());
    auto [record, config] = container::load_running(store, names.front());
    add_secret_variables(config, record);
    const container::HealthState state = container::check_health(store, record, config);
    const container::HealthResult& result = state.log.back();
    std::fputs(result.output.c_str(), stdout);
    return result.exit_status == 0 ? 0 : 1;
}

} // namespace sctr::cli
