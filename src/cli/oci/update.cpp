// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/bundle.hpp"
#include "cli/oci/engine.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"
#include "linux/procfs.hpp"
#include "oci/parse.hpp"
#include "oci/validate.hpp"

/// update: resources as JSON, or one flag a limit.
namespace sctr::cli::engine {
namespace {

using Text = std::optional<std::string>;

struct UpdateFlags {
    Text resources;
    Text blkio_weight;
    Text cpu_period;
    Text cpu_quota;
    Text cpu_burst;
    Text cpu_share;
    Text cpu_rt_period;
    Text cpu_rt_runtime;
    Text cpuset_cpus;
    Text cpuset_mems;
    Text cpu_idle;
    Text memory;
    Text memory_reservation;
    Text memory_swap;
    Text pids_limit;
};

void add_update_flags(CLI::App& app, UpdateFlags& flags) {
    add_text(app, "-r,--resources", flags.resources, "resources.json; '-' for stdin");
    add_text(app, "--blkio-weight", flags.blkio_weight, "I/O weight, 10 to 1000");
    add_text(app, "--cpu-period", flags.cpu_period, "CPU period in microseconds");
    add_text(app, "--cpu-quota", flags.cpu_quota, "CPU time in a period in microseconds; -1: any");
    add_text(app, "--cpu-burst", flags.cpu_burst, "refused: no unit property says it");
    add_text(app, "--cpu-share", flags.cpu_share, "CPU shares, 2 to 262144");
    add_text(app, "--cpu-rt-period", flags.cpu_rt_period, "refused: cgroup v2 has none");
    add_text(app, "--cpu-rt-runtime", flags.cpu_rt_runtime, "refused: cgroup v2 has none");
    add_text(app, "--cpuset-cpus", flags.cpuset_cpus, "CPUs to use: 0-3,7");
    add_text(app, "--cpuset-mems", flags.cpuset_mems, "memory nodes to use");
    add_text(app, "--cpu-idle", flags.cpu_idle, "1: only when the machine is idle");
    add_text(app, "--memory", flags.memory, "memory in bytes; -1: any");
    add_text(app, "--memory-reservation", flags.memory_reservation, "memory kept in bytes");
    add_text(app, "--memory-swap", flags.memory_swap, "memory and swap in bytes; -1: any");
    add_text(app, "--pids-limit", flags.pids_limit, "processes and threads; -1: any");
}

oci::Resources resources_of_file(const std::string& path) {
    return oci::parse_resources(read_input(path, "cannot read the resources"));
}

void set_signed(std::optional<std::int64_t>& to, const char* flag, const Text& text) {
    if (text) {
        to = parse_in_range(flag, *text, -1, std::numeric_limits<std::int64_t>::max());
    }
}

void set_bytes(std::optional<std::int64_t>& to, const char* flag, const Text& text) {
    if (text) {
        to = parse_size(*text);
        if (!to) {
            throw bad_value(flag, *text, "", "bytes: 512m, or -1 for no limit");
        }
    }
}

void set_unsigned(std::optional<std::uint64_t>& to, const char* flag, const Text& text) {
    if (text) {
        to = static_cast<std::uint64_t>(
            parse_in_range(flag, *text, 0, std::numeric_limits<std::int64_t>::max()));
    }
}

oci::Cpu cpu_of(const UpdateFlags& flags) {
    oci::Cpu cpu;
    set_unsigned(cpu.period, "--cpu-period", flags.cpu_period);
    set_signed(cpu.quota, "--cpu-quota", flags.cpu_quota);
    set_unsigned(cpu.burst, "--cpu-burst", flags.cpu_burst);
    set_unsigned(cpu.shares, "--cpu-share", flags.cpu_share);
    set_unsigned(cpu.realtime_period, "--cpu-rt-period", flags.cpu_rt_period);
    set_signed(cpu.realtime_runtime, "--cpu-rt-runtime", flags.cpu_rt_runtime);
    set_signed(cpu.idle, "--cpu-idle", flags.cpu_idle);
    cpu.cpus = flags.cpuset_cpus.value_or("");
    cpu.mems = flags.cpuset_mems.value_or("");
    return cpu;
}

oci::Memory memory_of(const UpdateFlags& flags) {
    oci::Memory memory;
    set_bytes(memory.limit, "--memory", flags.memory);
    set_bytes(memory.reservation, "--memory-reservation", flags.memory_reservation);
    set_bytes(memory.swap, "--memory-swap", flags.memory_swap);
    return memory;
}

oci::Resources resources_of_flags(const UpdateFlags& flags) {
    oci::Resources resources;
    if (const oci::Cpu cpu = cpu_of(flags); cpu != oci::Cpu{}) {
        resources.cpu = cpu;
    }
    if (const oci::Memory memory = memory_of(flags); memory != oci::Memory{}) {
        resources.memory = memory;
    }
    set_signed(resources.pids_limit, "--pids-limit", flags.pids_limit);
    if (flags.blkio_weight) {
        constexpr std::int64_t least = 10;
        constexpr std::int64_t most = 1000;
        resources.block_io.emplace();
        resources.block_io->weight = static_cast<std::uint16_t>(
            parse_in_range("--blkio-weight", *flags.blkio_weight, least, most));
    }
    return resources;
}

} // namespace

int update_verb(const Globals& globals, const Words& words) {
    UpdateFlags flags;
    CLI::App app("Changes the limits of a container.", "sctr-oci update");
    describe(app,
             "[OPTIONS] ID",
             {"sctr-oci update --memory 512m web", "sctr-oci update --resources - web < r.json"});
    add_update_flags(app, flags);
    const std::string id = only_id(parse_names(app, words), "update");
    const oci::Resources resources =
        flags.resources ? resources_of_file(*flags.resources) : resources_of_flags(flags);
    oci::validate_resources(resources);
    container::update(store_of(globals), id, resources);
    return 0;
}

} // namespace sctr::cli::engine
