// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/service_runs.hpp"

#include <filesystem>

#include "base/strings.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "linux/clock.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

std::string ServiceRuns::path(const std::string& name) const {
    check_id(name); // it becomes a path
    return root_ + "/" + name + ".json";
}

void ServiceRuns::save(const std::string& name, const LastRun& run) const {
    const std::string file = path(name);
    const std::filesystem::path directory = std::filesystem::path(file).parent_path();
    RecordStore(directory.parent_path()).make_root();
    std::error_code ignored; // the file cannot be written, then
    std::filesystem::create_directory(directory, ignored);
    sys::replace_file(file,
                      to_json(run),
                      0600,
                      sys::Durability::memory,
                      "cannot write down how the container ran");
}

std::optional<LastRun> ServiceRuns::load(const std::string& name) const {
    const auto text = sys::read_small_file(path(name));
    return text ? std::optional(last_run_from_json(*text)) : std::nullopt;
}

LastRun ended_by(LastRun run, const std::string& exit_code, const std::string& exit_status) {
    constexpr int signal_base = 128;
    const bool killed = exit_code == "killed" || exit_code == "dumped";
    const auto number =
        killed ? parse_signal(exit_status)
               : std::optional(static_cast<int>(parse_int(exit_status).value_or(signal_base)));
    run.finished_usec = sys::now_usec();
    run.exit_status = number.value_or(0) + (killed ? signal_base : 0);
    return run;
}

void service_ended(const std::string& name,
                   const std::string& exit_code,
                   const std::string& exit_status) {
    const RecordStore records(RecordStore::default_root());
    sweep(records);
    const ServiceRuns runs(records.root());
    if (const auto run = runs.load(name); run && run->finished_usec == 0) {
        runs.save(name, ended_by(*run, exit_code, exit_status));
    }
}

} // namespace sctr::container
