// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"
#include "cli/exec_process.hpp"
#include "cli/flags.hpp"
#include "cli/gather.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"

namespace sctr::cli {
namespace {

struct ExecFlags {
    ProcessFlags process;
    bool detach = false;
    std::optional<std::string> pid_file;
    std::string name;
    std::vector<std::string> command;
    TypedNames typed;
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
    parse_flags(app, flag_words);
    flags.typed = TypedNames(app, flag_words);
    if (rest.empty()) {
        throw Error("no container named").mend("sctr exec NAME COMMAND [ARG...]");
    }
    flags.name = rest.front();
    const std::size_t skipped = rest.size() > 1 && rest[1] == "--" ? 2 : 1;
    flags.command.assign(rest.begin() + static_cast<std::ptrdiff_t>(skipped), rest.end());
    return flags;
}

int run_in(const ExecFlags& flags) {
    if (flags.detach && flags.process.tty) {
        throw Error("a detached command has no terminal")
            .at("--detach --tty")
            .mend("drop one of them");
    }
    container::check_id(flags.name); // before it becomes a path
    const container::RecordStore store(container::RecordStore::default_root());
    auto [record, config] = container::load_running(store, flags.name);
    const RootfsFacts facts =
        gather_process(flags.process, "/proc/" + std::to_string(record.pid) + "/root");
    if (!container::is_alive(record.pid, record.start_time)) {
        throw Error("the container has ended").at(flags.name); // what was read was another's
    }
    add_secret_variables(config, record);
    container::ExecOptions options{.record = std::move(record),
                                   .config = std::move(config),
                                   .privileged = flags.process.privileged,
                                   .interactive = flags.process.interactive,
                                   .detach = flags.detach,
                                   .pid_file = flags.pid_file.value_or("")};
    options.process = exec_process(options.config, flags.process, flags.command, facts);
    return container::exec(options);
}

} // namespace

int exec_verb(const Words& words) {
    const ExecFlags flags = parse_exec(words);
    return as_typed(flags.typed, [&] { return run_in(flags); });
}

} // namespace sctr::cli
