// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/system_containers.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "base/error.hpp"
#include "container/id.hpp"
#include "container/service_job.hpp"
#include "linux/procfs.hpp"
#include "plan/service.hpp"

namespace sctr::container {

namespace {

using systemd::Instance;

/// systemd itself gives up on polkit after 25 s (257), and says so.
constexpr systemd::Deadlines with_a_person = {.method = std::chrono::seconds(60),
                                              .with_a_person = true};

/// The name of a container in that of its unit; nothing for another unit.
std::optional<std::string>
name_in(std::string_view unit, std::string_view prefix, std::string_view suffix) {
    if (!unit.starts_with(prefix) || !unit.ends_with(suffix) ||
        unit.size() <= prefix.size() + suffix.size()) {
        return std::nullopt;
    }
    std::string name(unit.substr(prefix.size(), unit.size() - prefix.size() - suffix.size()));
    return is_id(name) ? std::optional(std::move(name)) : std::nullopt;
}

std::optional<std::string> scope_container(std::string_view unit) {
    return name_in(unit, "sctr-", ".scope");
}

std::optional<std::string> service_container(std::string_view unit) {
    return name_in(unit, "sctr@", ".service");
}

/// Whoever may set a unit's properties may set its description, and this goes to terminals.
std::string printable(std::string text) {
    const auto is_control = [](unsigned char byte) { return byte < ' ' || byte == 0x7F; };
    std::ranges::replace_if(text, is_control, '?');
    return text;
}

/// The first process of a container with a pid namespace of its own; 0 for others.
pid_t init_of(const std::string& cgroup) {
    const auto pids = processes_of_cgroup(cgroup);
    const auto found =
        std::ranges::find_if(pids, [](pid_t pid) { return sys::innermost_pid(pid) == 1; });
    return found != pids.end() ? *found : 0;
}

bool has_ended(const systemd::UnitStatus& status) {
    return status.active_state == "inactive" || status.active_state == "failed";
}

Error has_no_scope(const std::string& name) {
    Error error("container not running");
    error.at(name).mend("see 'sctr --system ps -a'");
    return error;
}

} // namespace

SystemContainers::SystemContainers()
    : manager_(Instance::system, with_a_person), services_(Instance::system, with_a_person) {}

void SystemContainers::let_polkit_ask() {
    if (!agent_) {
        agent_.emplace();
    }
}

std::optional<systemd::UnitStatus> SystemContainers::unit_status(const std::string& unit) {
    return manager_.unit_status(unit);
}

std::optional<SystemContainer> SystemContainers::of_scope(const std::string& name) {
    const std::string unit = plan::scope_name(name);
    const auto status = manager_.unit_status(unit);
    if (!status || has_ended(*status) || status->control_group.empty()) {
        return std::nullopt;
    }
    SystemContainer found;
    found.record.id = name;
    found.record.unit = unit;
    found.record.description = printable(status->description);
    found.record.cgroup = status->control_group;
    found.record.created_usec = status->active_usec;
    found.record.pid = init_of(status->control_group);
    found.record.start_time = sys::process_start_time(found.record.pid).value_or(0);
    found.status = status->freezer_state == "frozen" ? Status::paused : Status::running;
    return found;
}

std::vector<SystemContainer> SystemContainers::list(bool all) {
    std::vector<SystemContainer> found;
    for (const std::string& unit : manager_.unit_names({"sctr-*.scope"})) {
        const auto name = scope_container(unit);
        if (auto container = name ? of_scope(*name) : std::nullopt) {
            found.push_back(std::move(*container));
        }
    }
    const auto names = all ? manager_.unit_names({"sctr@*.service"}) : std::vector<std::string>{};
    for (const std::string& unit : names) {
        const auto name = service_container(unit);
        if (!name || std::ranges::contains(found, *name, [](const SystemContainer& container) {
                return container.record.id;
            })) {
            continue;
        }
        const systemd::ServiceStatus status = services_.status(unit);
        if (status.load_state == "loaded") {
            SystemContainer container;
            container.record.id = *name;
            container.record.unit = unit;
            if (status.active_state == "inactive" || status.active_state == "failed") {
                container.record.exit_status = status.exit_status; // else it is of an earlier run
            }
            found.push_back(std::move(container));
        }
    }
    std::ranges::stable_sort(
        found, {}, [](const SystemContainer& container) { return container.record.created_usec; });
    return found;
}

SystemContainer SystemContainers::running(const std::string& name) {
    auto found = of_scope(name);
    if (!found) {
        throw has_no_scope(name);
    }
    return std::move(*found);
}

bool SystemContainers::is_service(const std::string& name) {
    return is_active(services_.status(plan::service_name(name)));
}

void SystemContainers::start(const std::string& name) {
    let_polkit_ask();
    run_service_job(services_,
                    name,
                    plan::service_name(name),
                    "cannot start the container",
                    &systemd::Services::start);
}

void SystemContainers::restart(const std::string& name) {
    let_polkit_ask();
    run_service_job(services_,
                    name,
                    plan::service_name(name),
                    "cannot restart the container",
                    &systemd::Services::restart);
}

void SystemContainers::stop(const std::string& name,
                            std::optional<std::chrono::microseconds> timeout) {
    const auto container = of_scope(name);
    if (!container && !is_service(name)) {
        throw has_no_scope(name);
    }
    let_polkit_ask();
    if (container && container->status == Status::paused) {
        manager_.thaw_unit(container->record.unit); // a frozen process takes no signal but SIGKILL
    }
    stop_unit(name, timeout);
}

void SystemContainers::stop_unit(const std::string& name,
                                 std::optional<std::chrono::microseconds> timeout) {
    const std::string scope = plan::scope_name(name);
    const std::string unit = is_service(name) ? plan::service_name(name) : scope;
    if (!timeout) {
        services_.stop(unit);
        return;
    }
    if (timeout->count() > 0 && services_.stop_within(unit, *timeout)) {
        return;
    }
    manager_.kill_unit(scope, "all", SIGKILL);
    services_.stop(unit);
}

void SystemContainers::kill(const std::string& name, int signal) {
    const SystemContainer container = running(name);
    let_polkit_ask();
    if (!manager_.kill_unit(container.record.unit, "all", signal)) {
        throw has_no_scope(name);
    }
}

void SystemContainers::pause(const std::string& name) {
    const SystemContainer container = running(name);
    if (container.status != Status::running) {
        throw Error("cannot pause the container").at(name).because("it is paused");
    }
    let_polkit_ask();
    try {
        manager_.freeze_unit(container.record.unit);
    } catch (const Error& error) {
        if (error.error_number() != EACCES) {
            // A freeze that failed half-way must not leave processes frozen.
            try {
                manager_.thaw_unit(container.record.unit);
            } catch (const Error&) {
            }
        }
        throw;
    }
}

void SystemContainers::unpause(const std::string& name) {
    const SystemContainer container = running(name);
    if (container.status != Status::paused) {
        throw Error("cannot unpause the container").at(name).because("it is running");
    }
    let_polkit_ask();
    manager_.thaw_unit(container.record.unit);
}

void SystemContainers::set_properties(const std::string& name,
                                      const std::vector<plan::UnitProperty>& properties) {
    const SystemContainer container = running(name);
    let_polkit_ask();
    manager_.set_properties(container.record.unit, true, properties);
}

} // namespace sctr::container
