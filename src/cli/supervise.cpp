// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "cli/container_files.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/image_removal.hpp"
#include "cli/image_source.hpp"
#include "cli/log.hpp"
#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "cli/service_main.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/notify.hpp"
#include "container/service_runs.hpp"
#include "container/stored.hpp"
#include "linux/clock.hpp"
#include "linux/procfs.hpp"
#include "storage/root.hpp"
#include "storage/volumes.hpp"
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
void stop_after_service(plan::Request& request, const std::string& service) {
    const auto found =
        std::ranges::find(request.extra_properties, "Before", &plan::UnitProperty::name);
    if (found == request.extra_properties.end()) {
        request.extra_properties.push_back({"Before", std::vector<std::string>{service}});
    } else if (auto* units = std::get_if<std::vector<std::string>>(&found->value)) {
        units->push_back(service);
    }
}

plan::Request request_of(const RunFlags& flags,
                         const Caller* caller,
                         const std::string& unit,
                         const container::RecordStore& records,
                         const std::optional<storage::ImageUse>& image) {
    plan::Request request = build_request(flags, gather(flags, records, image, caller));
    stop_after_service(request, unit);
    if (readiness(flags) == Readiness::notified) {
        container::notify::add_to(request.spec, records.root() + "/" + request.id);
    }
    return request;
}

/// A full disk must keep no container from running, nor its service from the right exit status.
void save_if_possible(const std::function<void(const LastRun&)>& save, const LastRun& run) {
    try {
        save(run);
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

container::RunOptions options_of(const RunFlags& flags, const std::string& unit) {
    const Readiness ready = readiness(flags);
    return {.machine = !flags.no_register,
            .pid_file = flags.pid_file.value_or(""),
            .warn = [](const Error& error) { log(LogLevel::warn, error.what()); },
            .note = [](const Error& error) { log(LogLevel::debug, error.what()); },
            .service = true,
            .service_unit = unit,
            .notify_socket = ready == Readiness::notified ? variable("NOTIFY_SOCKET") : "",
            .ready_when_healthy = ready == Readiness::healthy};
}

/// What a service runs, and where it is written down how that went.
struct ServiceRun {
    std::function<RunFlags()> flags;                                        ///< may throw Error
    std::function<std::optional<storage::ImageUse>(const RunFlags&)> image; ///< may throw Error
    const Caller* caller; ///< nothing: this process
    std::string unit;
    bool keeps_files = false; ///< what the container writes is there when it starts again
    std::vector<int> preserved_fds{};
    std::function<void(const LastRun&)> save;
};

/// As systemd shall see it: what ended as it was asked to is fine, what was ended for its health is
/// not, whatever its command said.
int service_status(const container::RunOutcome& outcome) {
    if (outcome.unhealthy) {
        return std::max(outcome.exit_status, 1);
    }
    return outcome.stopped ? 0 : outcome.exit_status;
}

container::RunOutcome run_container(const ServiceRun& what,
                                    const RunFlags& flags,
                                    const container::RecordStore& records,
                                    std::function<void(const container::RunOutcome&)> ended) {
    const auto image = what.image(flags);
    plan::Request request = request_of(flags, what.caller, what.unit, records, image);
    ContainerFiles files(request, what.keeps_files);
    UndoList undo;
    if (!what.keeps_files) {
        undo.add([&files] { files.remove(); });
    }
    container::RunOptions options = options_of(flags, what.unit);
    options.ended = std::move(ended);
    options.preserved_fds = what.preserved_fds;
    return container::run(std::move(request), options);
}

int run_service(const ServiceRun& what) {
    const container::RecordStore records(container::RecordStore::default_root());
    LastRun run{.boot_id = sys::boot_id(), .started_usec = sys::now_usec()};
    save_if_possible(what.save, run);
    const auto write_down = [&](int exit_status) {
        run.finished_usec = sys::now_usec();
        run.exit_status = exit_status;
        save_if_possible(what.save, run);
    };
    try {
        const RunFlags flags = what.flags();
        const auto ended = [&](const container::RunOutcome& outcome) {
            run.oom_killed = outcome.oom_killed;
            write_down(outcome.exit_status);
        };
        const container::RunOutcome outcome =
            as_typed(flags.typed, [&] { return run_container(what, flags, records, ended); });
        if (run.finished_usec == 0) {
            write_down(outcome.exit_status); // stopped before its command ran
        }
        return service_status(outcome);
    } catch (const Error& error) {
        run.error = error.what();
        write_down(static_cast<int>(error.exit_code()));
        throw;
    }
}

int supervise_stored(const std::string& name) {
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    const container::Definition definition = definitions.load(name);
    // Every path is absolute or begins at the caller's directory, which may be gone.
    const Caller caller = caller_of(definition);
    return run_service({.flags = [&] { return parse_run_flags(words_of(definition)); },
                        .image =
                            [&](const RunFlags&) {
                                return open_pinned_image(definition.image, definition.image_digest);
                            },
                        .caller = &caller,
                        .unit = plan::service_name(name),
                        .keeps_files = true,
                        .save = [&](const LastRun& run) { definitions.save(name, run); }});
}

/// Whoever waits for the start is told what kept it from that.
template <typename Run> int tell_failure(Run run) {
    try {
        return run();
    } catch (const Error& error) {
        systemd::notify_status(error.what());
        throw;
    }
}

/// What goes with a container that is forgotten.
struct Belongings {
    std::string volume_owner;
    std::string image; ///< empty: none
};

Belongings belongings_of(const std::string& name) {
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    if (!definitions.has(name)) {
        return {};
    }
    const container::Definition definition = definitions.load(name);
    const bool removes_image =
        definition.forget && parse_run_flags(words_of(definition)).remove_image;
    return {.volume_owner = definition.volume_owner,
            .image = removes_image ? definition.image : ""};
}

/// Of a container that is gone; a stored one, or another of the name that runs, keeps its own.
void remove_left_files(const std::string& name, const Belongings& its) {
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    const container::RecordStore records(container::RecordStore::default_root());
    if (definitions.has(name)) {
        return;
    }
    const storage::Store store = storage::Store::own();
    if (!records.has(name)) {
        storage::remove_root(store, name);
    }
    storage::remove_volumes_of(store, its.volume_owner);
    if (!its.image.empty()) {
        remove_image_after_run(its.image);
    }
}

} // namespace

int run_as_main_process(const RunFlags& flags, const std::vector<int>& preserved_fds) {
    const container::ServiceRuns runs(container::RecordStore::default_root());
    return tell_failure([&] {
        static_cast<void>(service_options(flags)); // refuses what is its unit's to say
        if (!flags.name) {
            throw Error("a service's container has a name").mend("give --name");
        }
        check_name_is_free(*flags.name);
        return run_service({.flags = [&] { return flags; },
                            .image = open_image,
                            .caller = nullptr,
                            .unit = *flags.service,
                            .preserved_fds = preserved_fds,
                            .save = [&](const LastRun& run) { runs.save(*flags.name, run); }});
    });
}

int supervise_verb(const Words& words) {
    bool ended = false;
    std::optional<std::string> service;
    CLI::App app("Runs a stored container; for sctr@.service.", "sctr supervise");
    describe(app, "NAME", {"systemctl start sctr@web.service"});
    add_switch(app, "--ended", ended, "after its end, as ExecStopPost=");
    add_text(app, "--service", service, "the unit, where that is not sctr@NAME.service");
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error("one container is supervised").mend("see 'sctr supervise --help'");
    }
    const std::string& name = names.front();
    if (!ended) {
        return tell_failure([&] { return supervise_stored(name); });
    }
    const Belongings its = belongings_of(name);
    if (service) {
        container::service_ended(name, variable("EXIT_CODE"), variable("EXIT_STATUS"));
    } else {
        container::Stored::own().ended(name, variable("EXIT_CODE"), variable("EXIT_STATUS"));
    }
    remove_left_files(name, its);
    return 0;
}

} // namespace sctr::cli
