// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"
#include "cli/exec_process.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"

namespace sctr::cli {
namespace {

struct ExecFlags {
    ProcessFlags process;
    bool detach = false;
    std::optional<std::string> pid_file;
    std::string name;
    std::vector<std::string> command;
};

ExecFlags parse_exec(const Words& words) {
    ExecFlags flags;
    CLI::App app("Runs one more command in a running container.", "sctr exec");
    describe(app,
             "[OPTIONS] NAME [--] COMMAND [ARG...]",
             {"sctr exec -it db /bin/bash",
              "sctr exec -u postgres -w /data db ls -l",
              "sctr exec -i db sh < script.sh"});
    add_process_flags(app, flags.process);
    add_switch(app, "-d,--detach", flags.detach, "do not wait for the command");
    add_text(app, "--pidfile", flags.pid_file, "write the host pid of the command here");
    auto [flag_words, rest] = split_words(app, words);
    parse_flags(app, std::move(flag_words));
    if (rest.empty()) {
        throw Error("no container named").mend("sctr exec NAME COMMAND [ARG...]");
    }
    flags.name = rest.front();
    const std::size_t skipped = rest.size() > 1 && rest[1] == "--" ? 2 : 1;
    flags.command.assign(rest.begin() + static_cast<std::ptrdiff_t>(skipped), rest.end());
    return flags;
}

container::Record running_record(const container::RecordStore& store, const std::string& name) {
    container::check_id(name); // before it becomes a path
    container::Record record = store.load(name);
    const container::Status status = container::current_status(record);
    switch (status) {
    case container::Status::running:
        return record;
    case container::Status::paused:
        throw Error("cannot run a command in '" + name + "'")
            .because("it is paused")
            .mend("sctr unpause " + name);
    case container::Status::creating:
    case container::Status::created:
    case container::Status::stopped:
        break;
    }
    throw Error("cannot run a command in '" + name + "'")
        .because(std::string("it is ") + container::to_string(status));
}

} // namespace

int exec_verb(const Words& words) {
    const ExecFlags flags = parse_exec(words);
    container::ExecOptions options{.privileged = flags.process.privileged,
                                   .interactive = flags.process.interactive,
                                   .detach = flags.detach,
                                   .pid_file = flags.pid_file.value_or("")};
    const container::RecordStore store(options.state_root);
    const container::Record record = running_record(store, flags.name);
    const RootfsFacts facts =
        gather_process(flags.process, "/proc/" + std::to_string(record.pid) + "/root");
    options.process =
        exec_process(store.load_config(flags.name), flags.process, flags.command, facts);
    return container::exec(flags.name, options);
}

} // namespace sctr::cli
