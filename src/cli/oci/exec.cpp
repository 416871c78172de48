// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/bundle.hpp"
#include "cli/oci/engine.hpp"
#include "cli/oci/inherit.hpp"
#include "cli/values.hpp"
#include "container/engine.hpp"
#include "linux/procfs.hpp"
#include "oci/parse.hpp"
#include "oci/validate.hpp"

/// exec: the process is a file of --process, or words and flags.
namespace sctr::cli::engine {
namespace {

struct ExecFlags {
    std::optional<std::string> process;
    std::optional<std::string> cwd;
    std::optional<std::string> user;
    std::optional<std::string> pid_file;
    std::optional<std::string> console_socket;
    std::optional<std::string> pidfd_socket;
    std::optional<std::string> preserve_fds;
    std::optional<std::string> process_label;
    std::optional<std::string> apparmor;
    std::optional<std::string> cgroup;
    std::vector<std::string> env;
    std::vector<std::string> caps;
    std::vector<std::string> additional_gids;
    bool tty = false;
    bool detach = false;
    bool no_new_privs = false;
    bool ignore_paused = false;
    std::string id;
    std::vector<std::string> command;
};

ExecFlags parse_exec(const Words& words) {
    ExecFlags flags;
    CLI::App app("Runs one more process in a container.", "sctr-oci exec");
    describe(app,
             "[OPTIONS] ID COMMAND [ARG...] | --process FILE ID",
             {"sctr-oci exec web ps", "sctr-oci exec --process process.json --detach web"});
    add_text(app, "-p,--process", flags.process, "process.json to execute");
    add_text(app, "--cwd", flags.cwd, "working directory in the container");
    add_text(app, "-u,--user", flags.user, "UID or UID:GID");
    add_text(app, "--pid-file", flags.pid_file, "write the pid of the process here");
    add_text(app, "--console-socket", flags.console_socket, "socket that receives the terminal");
    add_text(app, "--pidfd-socket", flags.pidfd_socket, "socket that receives the pidfd");
    add_text(app, "--preserve-fds", flags.preserve_fds, "how many fds from 3 on are passed in");
    add_text(app, "--process-label", flags.process_label, "SELinux label");
    add_text(app, "--apparmor", flags.apparmor, "AppArmor profile");
    add_text(app, "--cgroup", flags.cgroup, "cgroup below the container's; '/': its own");
    add_texts(app, "-e,--env", flags.env, "NAME=VALUE for the process");
    add_texts(app, "-c,--cap", flags.caps, "capability to add");
    add_texts(app, "-g,--additional-gids", flags.additional_gids, "groups to add");
    add_switch(app, "-t,--tty", flags.tty, "with a terminal");
    add_switch(app, "-d,--detach", flags.detach, "do not wait for the process");
    add_switch(app, "--no-new-privs", flags.no_new_privs, "it cannot gain privileges");
    add_switch(app, "--ignore-paused", flags.ignore_paused, "also in a paused container");
    auto [flag_words, rest] = split_words(app, words);
    parse_flags(app, flag_words);
    flags.id = only_id({rest.begin(), rest.begin() + (rest.empty() ? 0 : 1)}, "exec");
    const std::size_t skipped = rest.size() > 1 && rest[1] == "--" ? 2 : 1;
    flags.command.assign(rest.begin() + static_cast<std::ptrdiff_t>(skipped), rest.end());
    return flags;
}

std::uint32_t parse_id(const char* flag, const std::string& text) {
    return static_cast<std::uint32_t>(
        parse_in_range(flag, text, 0, std::numeric_limits<std::uint32_t>::max() - 1));
}

void set_user(oci::User& user, const std::string& text) {
    const auto [uid, gid] = split_once(text, ':');
    user.uid = parse_id("--user", uid);
    user.gid = gid ? parse_id("--user", *gid) : 0;
    user.additional_gids.clear();
}

void add_capabilities(oci::Process& process, const std::vector<std::string>& names) {
    if (names.empty()) {
        return;
    }
    if (!process.capabilities) {
        process.capabilities.emplace();
    }
    for (const std::string& name : names) {
        for (auto* set : {&process.capabilities->bounding,
                          &process.capabilities->effective,
                          &process.capabilities->permitted}) {
            if (std::ranges::find(*set, name) == set->end()) {
                set->push_back(name);
            }
        }
    }
}

oci::Process process_of_file(const std::string& path) {
    oci::Process process = oci::parse_process(read_input(path, "cannot read the process"));
    oci::validate_process(process);
    return process;
}

/// The container's own process with what the flags change.
oci::Process process_of_flags(const oci::Spec& config, const ExecFlags& flags) {
    if (flags.command.empty()) {
        throw Error("no command to run").mend("sctr-oci exec ID COMMAND, or --process FILE");
    }
    oci::Process process = config.process.value_or(oci::Process{});
    process.args = flags.command;
    process.terminal = flags.tty;
    process.console_size.reset();
    process.cwd = flags.cwd.value_or(process.cwd);
    process.env.insert(process.env.end(), flags.env.begin(), flags.env.end());
    process.selinux_label = flags.process_label.value_or(process.selinux_label);
    process.apparmor_profile = flags.apparmor.value_or(process.apparmor_profile);
    process.no_new_privileges = process.no_new_privileges || flags.no_new_privs;
    if (flags.user) {
        set_user(process.user, *flags.user);
    }
    for (const std::string& gid : flags.additional_gids) {
        process.user.additional_gids.push_back(parse_id("--additional-gids", gid));
    }
    add_capabilities(process, flags.caps);
    return process;
}

} // namespace

int exec_verb(const Globals& globals, const Words& words) {
    const ExecFlags flags = parse_exec(words);
    const container::PreservedFds preserved = take_preserved_fds(flags.preserve_fds);
    const container::RecordStore store = store_of(globals);
    auto [record, config] = container::load_running(store, flags.id, flags.ignore_paused);
    container::ExecOptions options;
    options.record = std::move(record);
    options.config = std::move(config);
    options.process =
        flags.process ? process_of_file(*flags.process) : process_of_flags(options.config, flags);
    options.state_root = globals.root;
    announce_listen_fds(options.process);
    options.preserved_fds = preserved.numbers();
    options.console_socket = flags.console_socket.value_or("");
    options.pidfd_socket = flags.pidfd_socket.value_or("");
    options.cgroup = flags.cgroup;
    options.interactive = true;
    options.detach = flags.detach;
    options.keep_output = true;
    options.create_cwd = true;
    options.pid_file = flags.pid_file.value_or("");
    if (options.detach) {
        container::check_console(options.process, options.console_socket);
    }
    return container::exec(options);
}

} // namespace sctr::cli::engine
