// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <span>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/oci/report.hpp"
#include "cli/values.hpp"
#include "container/id.hpp"
#include "linux/process.hpp"

/// The command line for engines. The one place that reports errors.
namespace sctr::cli::engine {
namespace {

struct Verb {
    std::string_view name;
    const char* summary;
    int (*run)(const Globals&, const Words&);
    int failure = 1; ///< exit status when it throws
};

constexpr int exec_failure = 255;

constexpr std::array<Verb, 17> verbs = {{
    {"create", "make a container from a bundle; its command waits for start", create_verb},
    {"start", "let the command of a created container go", start_verb},
    {"run", "create and start a container", run_verb},
    {"exec", "run one more process in a container", exec_verb, exec_failure},
    {"kill", "send a signal to a container", kill_verb},
    {"delete", "forget a stopped container", delete_verb},
    {"pause", "freeze every process of a container", pause_verb},
    {"resume", "let a paused container run again", resume_verb},
    {"state", "print the state of a container", state_verb},
    {"list", "list containers", list_verb},
    {"ps", "list the processes of a container", ps_verb},
    {"update", "change the limits of a container", update_verb},
    {"events", "print statistics and out-of-memory events of a container", events_verb},
    {"checkpoint", "save the processes of a container in files", checkpoint_verb},
    {"restore", "bring a container back from these files", restore_verb},
    {"features", "print what this runtime supports", features_verb},
    {"spec", "write a config.json to begin with", spec_verb},
}};

const Verb& find_verb(const std::string& name) {
    const auto* const found = std::ranges::find(verbs, std::string_view(name), &Verb::name);
    if (found == verbs.end()) {
        throw Error("unknown command '" + name + "'").mend("see 'sctr-oci --help'");
    }
    return *found;
}

struct TopFlags {
    std::optional<std::string> root;
    std::optional<std::string> log;
    std::optional<std::string> log_format;
    std::optional<std::string> rootless;
    std::optional<std::string> cgroup_manager;
    bool debug = false;
    bool systemd_cgroup = false;
    bool version = false;
};

void add_top_flags(CLI::App& app, TopFlags& flags) {
    describe(
        app, "[OPTIONS] COMMAND ...", {"sctr-oci create --bundle ./bundle web", "sctr-oci list"});
    add_text(app, "--root", flags.root, "directory of the containers' state");
    add_text(app, "--log", flags.log, "write messages to this file too");
    add_text(app, "--log-format", flags.log_format, "text or json");
    add_switch(app, "--debug", flags.debug, "report more");
    add_switch(app, "--systemd-cgroup", flags.systemd_cgroup, "accepted: it is always so");
    add_text(app, "--cgroup-manager", flags.cgroup_manager, "systemd, or disabled: no scopes");
    add_text(app, "--rootless", flags.rootless, "true, false or auto; accepted");
    add_switch(app, "-v,--version", flags.version, "print the version");
    for (const Verb& verb : verbs) {
        app.add_subcommand(std::string(verb.name), verb.summary)->group("Commands");
    }
}

Globals read_globals(const TopFlags& flags) {
    Globals globals;
    globals.log = flags.log.value_or("");
    globals.debug = flags.debug;
    const std::string format = flags.log_format.value_or("text");
    if (format != "text" && format != "json") {
        throw bad_value("--log-format", format, "", "text or json");
    }
    globals.json_log = format == "json";
    const std::string manager = flags.cgroup_manager.value_or("systemd");
    if (manager == "cgroupfs") {
        throw bad_value("--cgroup-manager",
                        manager,
                        "sctr asks systemd for cgroups and never makes them behind its back",
                        "systemd or disabled");
    }
    if (manager != "systemd" && manager != "disabled") {
        throw bad_value("--cgroup-manager", manager, "", "systemd or disabled");
    }
    globals.has_scopes = manager == "systemd";
    globals.root = flags.root ? absolute_path(*flags.root, "/proc/self/cwd")
                              : container::RecordStore::default_root() + "-oci";
    return globals;
}

void print_version() {
    std::puts("sctr-oci version " SCTR_VERSION "\n"
              "spec: 1.3.0\n"
              "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +CRIU");
}

int guarded(const Words& all) {
    Reporter reporter;
    int failure = 1;
    try {
        TopFlags flags;
        CLI::App app("An OCI runtime whose containers are systemd scopes.", "sctr-oci");
        add_top_flags(app, flags);
        auto [flag_words, rest] = split_words(app, all);
        parse_flags(app, flag_words);
        reporter.write_to(flags.log.value_or(""), flags.log_format == "json");
        if (flags.version) {
            print_version();
            return 0;
        }
        if (rest.empty()) {
            throw HelpText{app.help()};
        }
        const Globals globals = read_globals(flags);
        const Verb& verb = find_verb(rest.front());
        failure = verb.failure;
        const int status = verb.run(globals, {rest.begin() + 1, rest.end()});
        if (std::fflush(stdout) != 0) {
            throw Error("cannot write to standard output").because(errno);
        }
        return status;
    } catch (const HelpText& help) {
        std::fputs(help.text.c_str(), stdout);
        return 0;
    } catch (const std::exception& error) {
        reporter.error(error.what());
        return failure;
    }
}

} // namespace

std::string only_id(const Words& words, const char* verb) {
    if (words.size() != 1) {
        throw Error(std::string(verb) + " takes one container id")
            .because(words.empty() ? "there is none" : "there are more words: '" + words[1] + "'");
    }
    container::check_engine_id(words.front());
    return words.front();
}

void print_warning(const Error& error) {
    std::fprintf(stderr, "sctr-oci: warning: %s\n", escape_controls(error.what()).c_str());
}

container::RecordStore store_of(const Globals& globals) {
    return container::RecordStore(globals.root);
}

} // namespace sctr::cli::engine

int main(int argc, char** argv) {
    sctr::sys::sanitize_process();
    const std::span<char*> all(argv, static_cast<std::size_t>(argc));
    return sctr::cli::engine::guarded({all.begin() + (argc > 0 ? 1 : 0), all.end()});
}
