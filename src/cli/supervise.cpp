// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/image_source.hpp"
#include "cli/log.hpp"
#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "cli/verbs.hpp"
#include "container/notify.hpp"
#include "container/stored.hpp"
#include "linux/cgroup_lock.hpp"
#include "linux/clock.hpp"
#include "linux/procfs.hpp"
#include "linux/relabel.hpp"
#include "storage/root.hpp"
#include "systemd/notify.hpp"

/// The main process of sctr@NAME.service (units/sctr@.service), and what that runs afterwards.
namespace sctr::cli {
namespace {

using container::LastRun;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// A host that shuts down stops the services in their order, and the scope must not go before its
/// service: what begins first is stopped last, systemd.unit(5).
void stop_after_service(plan::Request& request) {
    const std::string service = plan::service_name(request.id);
    const auto found =
        std::ranges::find(request.extra_properties, "Before", &plan::UnitProperty::name);
    if (found == request.extra_properties.end()) {
        request.extra_properties.push_back({"Before", std::vector<std::string>{service}});
    } else if (auto* units = std::get_if<std::vector<std::string>>(&found->value)) {
        units->push_back(service);
    }
}

plan::Request request_of(const container::Definition& definition,
                         RunFlags& flags,
                         const container::RecordStore& records,
                         const std::optional<storage::ImageUse>& image) {
    const Caller caller = caller_of(definition);
    // Every path is absolute or begins at the caller's directory, which may be gone.
    flags = parse_run_flags(words_of(definition));
    plan::Request request = build_request(flags, gather(flags, records, image, &caller));
    stop_after_service(request);
    if (command_notifies(flags)) {
        container::notify::add_to(request.spec, records.root() + "/" + request.id);
    }
    for (const plan::Relabel& relabel : request.relabels) {
        sys::relabel_tree(relabel.path, relabel.label);
    }
    return request;
}

int supervise(const container::DefinitionStore& definitions, const std::string& name) {
    const container::RecordStore records(container::RecordStore::default_root());
    const container::Definition definition = definitions.load(name);
    LastRun run{.boot_id = sys::boot_id(), .started_usec = sys::now_usec()};
    definitions.save(name, run);
    const auto write_down = [&](int exit_status) {
        run.finished_usec = sys::now_usec();
        run.exit_status = exit_status;
        definitions.save(name, run);
    };
    try {
        RunFlags flags;
        const auto image = open_pinned_image(definition.image, definition.image_digest);
        plan::Request request = request_of(definition, flags, records, image);
        std::optional<storage::ContainerRoot> root;
        if (!request.overlay.lower.empty()) {
            root.emplace(storage::Store::own(), name, request.overlay);
        }
        const container::RunOptions options{
            .machine = !flags.no_register,
            .pid_file = flags.pid_file.value_or(""),
            .warn = [](const Error& error) { log(LogLevel::warn, error.what()); },
            .note = [](const Error& error) { log(LogLevel::debug, error.what()); },
            .service = true,
            .notify_socket = command_notifies(flags) ? variable("NOTIFY_SOCKET") : "",
            .ended =
                [&](const container::RunOutcome& outcome) {
                    run.oom_killed = outcome.oom_killed;
                    write_down(outcome.exit_status);
                }};
        const container::RunOutcome outcome = container::run(std::move(request), options);
        if (run.finished_usec == 0) {
            write_down(outcome.exit_status); // stopped before its command ran
        }
        return outcome.stopped ? 0 : outcome.exit_status;
    } catch (const Error& error) {
        run.error = error.what();
        write_down(static_cast<int>(error.exit_code()));
        throw;
    }
}

} // namespace

int supervise_verb(const Words& words) {
    bool ended = false;
    CLI::App app("Runs a stored container; for sctr@.service.", "sctr supervise");
    describe(app, "NAME", {"systemctl start sctr@web.service"});
    add_switch(app, "--ended", ended, "after its end, as ExecStopPost=");
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error("one container is supervised").mend("see 'sctr supervise --help'");
    }
    if (ended) {
        container::Stored stored = container::Stored::own();
        stored.ended(names.front(), variable("EXIT_CODE"), variable("EXIT_STATUS"));
        if (!stored.has(names.front())) {
            storage::remove_root(storage::Store::own(), names.front());
        }
        return 0;
    }
    try {
        sys::warm_cgroup_lock();
        return supervise(container::DefinitionStore(container::DefinitionStore::default_root()),
                         names.front());
    } catch (const Error& error) {
        systemd::notify_status(error.what()); // for whoever waits for the start
        throw;
    }
}

} // namespace sctr::cli
