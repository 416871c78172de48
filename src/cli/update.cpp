// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/names.hpp"
#include "cli/request_builder.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "cli/target.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/stored.hpp"
#include "container/system_containers.hpp"
#include "host/facts.hpp"
#include "linux/procfs.hpp"
#include "plan/unit_properties.hpp"
#include "systemd/manager.hpp"

namespace sctr::cli {
namespace {

using container::RecordStore;

/// What is a matter of the process, or of where its scope is.
void refuse_lasting(const LimitFlags& limits) {
    for (const auto& [flag, given] :
         {std::pair{"--slice", limits.slice.has_value()},
          std::pair{"--ulimit", !limits.ulimits.empty()},
          std::pair{"--oom-score-adj", limits.oom_score_adj.has_value()}}) {
        if (given) {
            throw Error("it is given to a container once and for all")
                .at(flag)
                .mend("remove the container, and make it anew");
        }
    }
}

/// The system's manager has every controller that there is, whoever asks it.
host::Facts facts_of_target() {
    host::Facts facts = host::probe();
    if (is_for_system()) {
        facts.is_root = true;
        facts.is_rootless = false;
        std::string line =
            sys::read_small_file(facts.cgroup_root + "/cgroup.controllers").value_or("");
        std::ranges::replace(line, '\n', ' ');
        for (std::string& name : split(line, ' ')) {
            facts.controllers.insert(std::move(name));
        }
    }
    return facts;
}

/// The limits as a request of nothing else. Throws Error for what this host cannot enforce.
plan::Request limits_alone(const LimitFlags& limits) {
    plan::Request request;
    request.spec.process.emplace();
    add_limits(request, limits, gather_limits(limits));
    const host::Facts facts = facts_of_target();
    const auto name_of = [&](std::string_view pointer) {
        const auto found = request.flag_of.find(pointer);
        return found != request.flag_of.end() ? found->second : std::string(pointer);
    };
    static_cast<void>(
        plan::resource_properties(request.spec.linux.resources, facts, {.name_of = name_of}));
    for (const plan::UnitProperty& property : request.extra_properties) {
        plan::require_controller(property, facts, "--property");
    }
    return request;
}

void update_running(const RecordStore& records,
                    const std::string& name,
                    const plan::Request& wanted) {
    if (!(wanted.spec.linux.resources == oci::Resources{})) {
        container::update(records, name, wanted.spec.linux.resources);
    }
    if (!wanted.extra_properties.empty()) {
        systemd::Manager(systemd::own_instance())
            .set_properties(records.load(name).unit, true, wanted.extra_properties);
    }
}

/// As they are sent to systemd, where nobody can be asked what the container had before.
std::vector<plan::UnitProperty> properties_of(const plan::Request& wanted) {
    auto properties = plan::resource_properties(wanted.spec.linux.resources,
                                                facts_of_target(),
                                                {.target = plan::PropertyTarget::running_unit});
    properties.insert(
        properties.end(), wanted.extra_properties.begin(), wanted.extra_properties.end());
    return properties;
}

/// The words take the place of those that are stored and say something else.
void update_stored(container::Stored& stored,
                   const std::string& name,
                   const std::vector<std::string>& words) {
    container::Definition definition = stored.definitions().load(name);
    definition.flags = with_limits(definition.flags, words);
    stored.replace(definition, service_options(parse_run_flags(words_of(definition))));
}

} // namespace

int update_verb(const Words& words) {
    LimitFlags limits;
    bool runtime = false;
    CLI::App app("Changes limits of containers: at once of those that run, and for later starts "
                 "of stored ones.",
                 "sctr update");
    describe(app,
             "[OPTIONS] NAME...",
             {"sctr update -m 1g --cpus 2 web", "sctr update --restart always web db"});
    add_limit_flags(app, limits);
    std::optional<std::string> restart;
    add_text(app, "--restart", restart, "of a stored one: no, on-failure[:TIMES], always");
    add_switch(app, "--runtime", runtime, "change what runs, and nothing that is stored");
    SplitWords split = split_names(app, words);
    parse_flags(app, split.flags);
    std::erase_if(split.flags,
                  [](const std::string& word) { return word.starts_with("--runtime"); });
    const TypedNames typed(app, split.flags);
    as_typed(typed, [&] { refuse_lasting(limits); });
    if (split.flags.empty()) {
        throw Error("nothing to change").mend("see 'sctr update --help'");
    }
    const plan::Request wanted = as_typed(typed, [&] { return limits_alone(limits); });
    if (is_for_system()) {
        container::SystemContainers system;
        const auto properties = properties_of(wanted);
        return for_each_name(split.rest, app, [&](const std::string& name) {
            if (restart || (!runtime && system.is_service(name))) {
                throw Error("what is stored of the system's containers is root's to change")
                    .at(name)
                    .mend("--runtime changes what runs, until it ends");
            }
            system.set_properties(name, properties);
        });
    }
    const RecordStore records(RecordStore::default_root());
    container::Stored stored = container::Stored::own();
    return for_each_name(split.rest, app, [&](const std::string& name) {
        const bool keep = stored.has(name) && !runtime;
        if (restart && !keep) {
            throw Error("only a stored container is started again").at("--restart").mend("drop it");
        }
        if (records.has(name) || !stored.has(name)) {
            update_running(records, name, wanted);
        }
        if (keep) {
            update_stored(stored, name, split.flags);
        }
    });
}

} // namespace sctr::cli
