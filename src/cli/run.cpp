// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"
#include "cli/gather.hpp"
#include "cli/log.hpp"
#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "linux/cgroup_lock.hpp"
#include "linux/relabel.hpp"

namespace sctr::cli {
namespace {

void check_id_file(const std::optional<std::string>& path) {
    if (path && ::access(path->c_str(), F_OK) == 0) {
        throw Error("the file is there already")
            .at("--cidfile " + *path)
            .mend("remove it, or name another");
    }
}

} // namespace

int run_verb(const Words& words) {
    const RunFlags flags = parse_run_flags(words);
    check_id_file(flags.id_file);
    if (!flags.dry_run) {
        sys::warm_cgroup_lock();
    }
    const container::RunOptions options{
        .interactive = flags.process.interactive,
        .machine = !flags.no_register,
        .remove = flags.remove,
        .pid_file = flags.pid_file.value_or(""),
        .id_file = flags.id_file.value_or(""),
        .warn = [](const Error& error) { log(LogLevel::warn, error.what()); },
        .note = [](const Error& error) { log(LogLevel::debug, error.what()); }};
    const container::RecordStore store(options.state_root);
    plan::Request request = build_request(flags, gather(flags, store));
    if (flags.dry_run) {
        std::puts(container::dry_run(request).c_str());
        return 0;
    }
    for (const plan::Relabel& relabel : request.relabels) {
        sys::relabel_tree(relabel.path, relabel.label);
    }
    log(LogLevel::debug, "container " + request.id + " in " + request.slice);
    const std::string id = request.id;
    const container::RunOutcome outcome = container::run(std::move(request), options);
    if (outcome.oom_killed) {
        log(LogLevel::error,
            "container '" + id + "' was killed: out of memory at its limit (raise --memory)");
    }
    return outcome.exit_status;
}

} // namespace sctr::cli
