// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/flags.hpp"
#include "cli/verbs.hpp"
#include "declared/preview.hpp"
#include "declared/search.hpp"
#include "host/caller.hpp"

namespace sctr::cli {

int generate_verb(const Words& words) {
    CLI::App app(
        "Shows the units that files NAME.container, .volume, .image, .build and .network become, "
        "and what is wrong with them; "
        "systemd makes them itself (daemon-reload).",
        "sctr generate");
    describe(app,
             "[FILE...]",
             {"sctr generate                    # all of /etc/sctr, or ~/.config/sctr",
              "sctr generate ./web.container",
              "systemctl daemon-reload && systemctl start web.service"});
    const auto files = parse_names(app, words);
    const bool of_user = !host::caller().is_system;
    return declared::preview(declared::directories(of_user), files, SCTR_PROGRAM) ? 0 : 1;
}

} // namespace sctr::cli
