// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/target.hpp"

#include <string>

#include "base/error.hpp"
#include "host/caller.hpp"

namespace sctr::cli {

namespace {

/// Known once the first words are read, and the same for all that follows.
bool for_system = false;

} // namespace

void choose_target(bool system, bool user) {
    const bool is_root = host::caller().is_system;
    if (system && user) {
        throw Error("containers are the system's or a user's")
            .at("--system --user")
            .mend("drop one");
    }
    if (user && is_root) {
        throw Error("root has no containers of a user")
            .at("--user")
            .because("those of root are the system's")
            .mend("drop it; those of another: run0 --user=NAME sctr ...");
    }
    for_system = system && !is_root;
}

bool is_for_system() {
    return for_system;
}

void require_own_target(std::string_view verb, std::string_view why) {
    if (for_system && !why.empty()) {
        throw Error("'" + std::string(verb) + "' of the system's containers needs root")
            .at("--system")
            .because(why)
            .mend("sudo sctr " + std::string(verb) +
                  " ...; without --system it is about containers of your own");
    }
}

std::uint32_t journal_uid() {
    return for_system ? 0 : host::caller().uid;
}

bool has_system_units() {
    return for_system || host::caller().is_system;
}

} // namespace sctr::cli
