// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/engine.hpp"
#include "container/launch.hpp"
#include "container/nested_cgroup.hpp"
#include "linux/procfs.hpp"
#include "oci/serialize.hpp"
#include "plan/unit_properties.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

namespace {

/// A limit below what is in use would have the kernel kill. Source: runtime-spec, config-linux,
/// memory, checkBeforeUpdate.
void check_memory(const Record& record, const oci::Resources& wanted) {
    if (!wanted.memory || !wanted.memory->check_before_update.value_or(false) ||
        !wanted.memory->limit || *wanted.memory->limit < 0) {
        return;
    }
    auto text = sys::read_small_file("/sys/fs/cgroup" + record.cgroup + "/memory.current");
    while (text && text->ends_with('\n')) {
        text->pop_back();
    }
    const auto used = text ? parse_uint(*text) : std::nullopt;
    if (used && *used > static_cast<std::uint64_t>(*wanted.memory->limit)) {
        throw Error("cannot lower the memory limit")
            .at("/memory/limit")
            .because("the container uses " + std::to_string(*used) + " bytes");
    }
}

} // namespace

void update(const RecordStore& store, const std::string& id, const oci::Resources& resources) {
    const LockedRecord directory = store.lock(id);
    const Record record = store.load(id);
    if (current_status(record) == Status::stopped) {
        throw Error("container not running").at(id);
    }
    require_own_cgroup(record, "change the limits of");
    check_memory(record, resources);
    oci::Spec config = store.load_config(id);
    config.linux.resources = oci::merge(config.linux.resources, resources);
    oci::Resources to_set = config.linux.resources;
    to_set.devices = resources.devices; // a list that did not change would be emptied meanwhile
    const bool nested = is_nested(record);
    const auto properties = plan::resource_properties(
        to_set,
        facts_with_every_controller(),
        {.target = nested ? plan::PropertyTarget::new_unit : plan::PropertyTarget::running_unit});
    if (nested) {
        plan::CgroupPlan plan = plan::cgroup_files(properties);
        plan.path = record.cgroup;
        container::nested::update(plan, !resources.devices.empty());
    } else {
        systemd::Manager(systemd::own_instance()).set_properties(record.unit, true, properties);
    }
    directory.save_config(config);
}

} // namespace sctr::container
