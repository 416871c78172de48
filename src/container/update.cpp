// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"
#include "base/strings.hpp"
#include "container/engine.hpp"
#include "container/launch.hpp"
#include "linux/procfs.hpp"
#include "plan/unit_properties.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

namespace {

template <typename T> void take(std::optional<T>& to, const std::optional<T>& from) {
    if (from) {
        to = from;
    }
}

template <typename T> void take(T& to, const T& from) {
    if (!from.empty()) {
        to = from;
    }
}

void merge(oci::Memory& to, const oci::Memory& from) {
    take(to.limit, from.limit);
    take(to.reservation, from.reservation);
    take(to.swap, from.swap);
    take(to.kernel, from.kernel);
    take(to.kernel_tcp, from.kernel_tcp);
    take(to.swappiness, from.swappiness);
    take(to.disable_oom_killer, from.disable_oom_killer);
    take(to.use_hierarchy, from.use_hierarchy);
    take(to.check_before_update, from.check_before_update);
}

void merge(oci::Cpu& to, const oci::Cpu& from) {
    take(to.shares, from.shares);
    take(to.quota, from.quota);
    take(to.burst, from.burst);
    take(to.period, from.period);
    take(to.realtime_runtime, from.realtime_runtime);
    take(to.realtime_period, from.realtime_period);
    take(to.cpus, from.cpus);
    take(to.mems, from.mems);
    take(to.idle, from.idle);
}

void merge(oci::BlockIo& to, const oci::BlockIo& from) {
    take(to.weight, from.weight);
    take(to.leaf_weight, from.leaf_weight);
    take(to.weight_device, from.weight_device);
    take(to.throttle_read_bps_device, from.throttle_read_bps_device);
    take(to.throttle_write_bps_device, from.throttle_write_bps_device);
    take(to.throttle_read_iops_device, from.throttle_read_iops_device);
    take(to.throttle_write_iops_device, from.throttle_write_iops_device);
}

template <typename T> void merge(std::optional<T>& to, const std::optional<T>& from) {
    if (to && from) {
        merge(*to, *from);
    } else {
        take(to, from);
    }
}

/// What `from` says, and beside it what was said before.
void merge(oci::Resources& to, const oci::Resources& from) {
    take(to.devices, from.devices);
    merge(to.memory, from.memory);
    merge(to.cpu, from.cpu);
    take(to.pids_limit, from.pids_limit);
    merge(to.block_io, from.block_io);
    take(to.hugepage_limits, from.hugepage_limits);
    take(to.network, from.network);
    take(to.rdma, from.rdma);
    for (const auto& [file, value] : from.unified) {
        to.unified[file] = value;
    }
}

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
    check_memory(record, resources);
    oci::Spec config = store.load_config(id);
    merge(config.linux.resources, resources);
    oci::Resources to_set = config.linux.resources;
    to_set.devices = resources.devices; // a list that did not change would be emptied meanwhile
    systemd::Manager(systemd::Instance::system)
        .set_properties(record.unit,
                        true,
                        plan::resource_properties(to_set,
                                                  facts_with_every_controller(),
                                                  {.target = plan::PropertyTarget::running_unit}));
    directory.save_config(config);
}

} // namespace sctr::container
