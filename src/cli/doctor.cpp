// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/record_json.hpp"
#include "cli/verbs.hpp"
#include "host/checks.hpp"
#include "systemd/manager.hpp"
#include "systemd/user_manager.hpp"

namespace sctr::cli {
namespace {

using host::Check;
using host::CheckState;

const char* to_string(CheckState state) {
    switch (state) {
    case CheckState::ok:
        return "ok";
    case CheckState::info:
        return "info";
    case CheckState::missing:
        return "missing";
    }
    return "";
}

host::CheckInput look_around() {
    host::CheckInput input{.uid = host::caller().uid};
    const struct passwd* account = ::getpwuid(input.uid);
    input.user = account != nullptr ? account->pw_name : std::to_string(input.uid);
    input.runtime_dir = host::runtime_directory(host::caller());
    struct utsname names{};
    ::uname(&names);
    input.kernel = names.release;
    try {
        systemd::Manager manager(systemd::own_instance());
        input.systemd = manager.version();
    } catch (const Error& error) {
        input.systemd_failure = error.what();
    }
    try {
        if (!host::caller().is_system && systemd::is_cut_off(input.uid)) {
            input.cut_off_mend = systemd::mend_of_cut_off;
        }
    } catch (const Error&) {
        // Without a system's bus nobody can be cut off from it; check_bus() is about the user's.
    }
    return input;
}

std::string text_of(const std::vector<Check>& checks) {
    std::size_t width = 0;
    for (const Check& check : checks) {
        width = std::max(width, check.name.size());
    }
    std::string text;
    for (const Check& check : checks) {
        std::string state = to_string(check.state);
        state.resize(std::string_view("missing").size(), ' ');
        text += state + "  " + check.name + std::string(width - check.name.size() + 2, ' ') +
                check.text + '\n';
        if (!check.mend.empty()) {
            text += std::string(state.size() + width + 4, ' ') + "mend: " + check.mend + '\n';
        }
    }
    return text;
}

std::string json_of(const std::vector<Check>& checks) {
    auto list = nlohmann::ordered_json::array();
    for (const Check& check : checks) {
        list.push_back({{"name", check.name},
                        {"state", to_string(check.state)},
                        {"text", check.text},
                        {"mend", check.mend}});
    }
    return json_text(list) + '\n';
}

} // namespace

int doctor_verb(const Words& words) {
    bool json = false;
    CLI::App app("Says what this host offers, what is missing, and what mends it. "
                 "The exit status is 1 when something needed is missing.",
                 "sctr doctor");
    describe(app, "[OPTIONS]", {"sctr doctor", "sctr doctor --json | jq '.[] | select(.mend)'"});
    add_switch(app, "--json", json, "as a JSON array");
    parse_flags(app, words);

    const auto checks = host::run_checks(look_around());
    std::fputs((json ? json_of(checks) : text_of(checks)).c_str(), stdout);
    return std::ranges::contains(checks, CheckState::missing, &Check::state) ? 1 : 0;
}

} // namespace sctr::cli
