// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/exec_process.hpp"

#include "base/error.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"
#include "plan/capabilities.hpp"

namespace sctr::cli {
namespace {

/// Another user keeps the container's bounds and gets the sets that such a user starts with.
void change_user(oci::Process& process, const Account& account) {
    process.user = {.uid = account.uid,
                    .gid = account.gid,
                    .umask = process.user.umask,
                    .additional_gids = account.additional_gids};
    if (process.capabilities) {
        process.capabilities =
            capability_sets(process.capabilities->bounding, {}, process.user.uid);
    }
}

} // namespace

oci::Process exec_process(const oci::Spec& config,
                          const ProcessFlags& flags,
                          const std::vector<std::string>& command,
                          const RootfsFacts& facts) {
    if (!config.process) {
        throw Error("the container's configuration has no process");
    }
    if (command.empty()) {
        throw Error("no command to run").mend("sctr exec NAME COMMAND [ARG...]");
    }
    oci::Process process = *config.process;
    process.args = command;
    process.terminal = flags.tty;
    process.console_size.reset();
    Environment environment(process.env);
    if (flags.tty && !environment.has("TERM")) {
        const auto term = facts.environment.find("TERM");
        environment.set("TERM", term != facts.environment.end() ? term->second : "xterm");
    }
    if (flags.user) {
        const Account account = find_account(*flags.user, facts.passwd, facts.group);
        change_user(process, account);
        environment.set("HOME", account.home);
    }
    if (flags.privileged) {
        process.capabilities = capability_sets(available_capabilities(facts), {}, process.user.uid);
        process.apparmor_profile = "unconfined";
    }
    apply_environment(environment, flags, facts);
    process.env = environment.lines();
    if (flags.workdir) {
        process.cwd = container_path("--workdir", *flags.workdir);
    }
    return process;
}

} // namespace sctr::cli
