// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/log.hpp"
#include "cli/tag.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "linux/process.hpp"

/// The command line for people. The one place that prints errors.
namespace sctr::cli {
namespace {

struct Verb {
    std::string_view name;
    const char* summary;
    int (*run)(const Words&);
    /// Why nobody but root can have it of the system's containers; empty: others can, by polkit.
    const char* for_root_alone = "";
};

/// Those of docker's and podman's `container VERB` that are verbs of sctr.
constexpr std::array of_containers = {
    std::string_view("attach"),  std::string_view("commit"),  std::string_view("cp"),
    std::string_view("create"),  std::string_view("diff"),    std::string_view("exec"),
    std::string_view("export"),  std::string_view("inspect"), std::string_view("kill"),
    std::string_view("logs"),    std::string_view("pause"),   std::string_view("port"),
    std::string_view("ps"),      std::string_view("rename"),  std::string_view("restart"),
    std::string_view("rm"),      std::string_view("run"),     std::string_view("start"),
    std::string_view("stats"),   std::string_view("stop"),    std::string_view("top"),
    std::string_view("unpause"), std::string_view("update"),  std::string_view("wait")};

/// What is no verb of containers: those are found before.
int container_verb(const Words& words) {
    CLI::App app("Has all verbs of containers, which are verbs of their own, too.",
                 "sctr container");
    std::string names = "ls";
    for (const std::string_view name : of_containers) {
        names += ", " + std::string(name);
    }
    describe(app,
             "VERB ...\n\n" + names,
             {"sctr container ls -a       # sctr ps -a", "sctr container rm web"});
    const auto rest = parse_names(app, words);
    throw Error("nothing to do with containers by that name")
        .at(rest.empty() ? "" : rest.front())
        .mend("see 'sctr container --help'");
}

constexpr const char* is_to_be_root = "who makes or enters a container of root's is root in it";
constexpr const char* is_roots_store = "what is stored of them is closed to everybody else";

constexpr std::array<Verb, 46> verbs = {{
    {"run", "run a command in a new container", run_verb, is_to_be_root},
    {"create", "store a container, to be started as a service", create_verb, is_to_be_root},
    {"start", "start stored containers", start_verb},
    {"restart", "stop stored containers and start them again", restart_verb},
    {"enable", "start stored containers at boot", enable_verb, is_roots_store},
    {"disable", "no longer start stored containers at boot", disable_verb, is_roots_store},
    {"attach", "connect the terminal with a container's", attach_verb, is_to_be_root},
    {"exec", "run one more command in a running container", exec_verb, is_to_be_root},
    {"ps", "list containers", ps_verb},
    {"stats", "show what running containers use", stats_verb},
    {"top", "list the processes of a container", top_verb},
    {"inspect", "show all that is known of containers", inspect_verb},
    {"kill", "send a signal to containers", kill_verb},
    {"stop", "ask containers to end, then kill them", stop_verb},
    {"healthcheck", "ask a container whether it does its work", healthcheck_verb, is_to_be_root},
    {"wait",
     "wait until containers have ended",
     wait_verb,
     "exit statuses are in records that are closed to everybody else"},
    {"rename", "give a stored container another name", rename_verb, is_roots_store},
    {"update", "change limits of containers", update_verb},
    {"pause", "freeze containers", pause_verb},
    {"unpause", "let paused containers run again", unpause_verb},
    {"logs", "show the output of a container", logs_verb},
    {"events", "show what happens to containers", events_verb},
    {"rm", "forget stopped containers", rm_verb, is_roots_store},
    {"container", "all verbs of containers, as docker and podman group them", container_verb},
    {"pull", "fetch images from registries", pull_verb, is_roots_store},
    {"push", "send an image to a registry", push_verb, is_roots_store},
    {"images", "list images", images_verb, is_roots_store},
    {"image", "show what is known of images; all verbs of images", image_verb, is_roots_store},
    {"tag", "give an image more names", tag_verb, is_roots_store},
    {"untag", "take names from an image", untag_verb, is_roots_store},
    {"rmi", "remove images", rmi_verb, is_roots_store},
    {"load", "take images from an archive", load_verb, is_roots_store},
    {"save", "write an image to an archive", save_verb, is_roots_store},
    {"import", "make an image from a root file system", import_verb, is_roots_store},
    {"build", "build an image with buildah", build_verb, is_roots_store},
    {"cp", "copy files between a container and the host", cp_verb, is_to_be_root},
    {"network", "make, show, change and remove networks", network_verb, is_roots_store},
    {"port", "show the ports of the host that lead into a container", port_verb, is_roots_store},
    {"volume", "make, show, fill and remove volumes", volume_verb, is_roots_store},
    {"secret", "make, show and remove secrets for containers", secret_verb, is_roots_store},
    {"commit", "make an image of what a container has written", commit_verb, is_roots_store},
    {"diff", "show what a container has changed of its image", diff_verb, is_roots_store},
    {"export", "write a container's files to an archive", export_verb, is_roots_store},
    {"system", "show, check and clear what is stored", system_verb, is_roots_store},
    {"generate",
     "show the units that .container files become",
     generate_verb,
     "it shows what files of the caller's become"},
    {"doctor",
     "say what this host offers and what is missing",
     doctor_verb,
     "it looks at what the caller himself may do"},
}};

/// For units alone.
constexpr Verb supervise = {"supervise", "", supervise_verb, is_to_be_root};

const Verb* find_verb(std::string_view name) {
    if (name == supervise.name) {
        return &supervise;
    }
    for (const Verb& verb : verbs) {
        if (verb.name == name) {
            return &verb;
        }
    }
    return nullptr;
}

/// A verb that docker and podman have behind another, too: `image ls`.
struct GroupedVerb {
    std::string_view group;
    std::string_view word;
    Words here;
};

const GroupedVerb* find_grouped(const Words& words) {
    static const std::array all = {GroupedVerb{"image", "ls", {"images"}},
                                   GroupedVerb{"image", "list", {"images"}},
                                   GroupedVerb{"image", "rm", {"rmi"}},
                                   GroupedVerb{"image", "remove", {"rmi"}},
                                   GroupedVerb{"image", "prune", {"system", "prune"}},
                                   GroupedVerb{"image", "pull", {"pull"}},
                                   GroupedVerb{"image", "push", {"push"}},
                                   GroupedVerb{"image", "build", {"build"}},
                                   GroupedVerb{"image", "load", {"load"}},
                                   GroupedVerb{"image", "save", {"save"}},
                                   GroupedVerb{"image", "import", {"import"}},
                                   GroupedVerb{"image", "tag", {"tag"}},
                                   GroupedVerb{"image", "untag", {"untag"}},
                                   GroupedVerb{"container", "ls", {"ps"}},
                                   GroupedVerb{"container", "list", {"ps"}}};
    for (const GroupedVerb& each : all) {
        if (words.size() > 1 && words[0] == each.group && words[1] == each.word) {
            return &each;
        }
    }
    return nullptr;
}

/// The same words as sctr has them: 'rmi x' of 'image rm x', 'rm x' of 'container rm x'.
Words ungrouped(const Words& words) {
    if (const GroupedVerb* verb = find_grouped(words)) {
        Words plain = verb->here;
        plain.insert(plain.end(), words.begin() + 2, words.end());
        return plain;
    }
    if (words.size() > 1 && words[0] == "container" &&
        std::ranges::contains(of_containers, words[1])) {
        return {words.begin() + 1, words.end()};
    }
    return words;
}

struct Habit {
    std::string_view verb; ///< of docker or podman
    const char* here;
};

constexpr std::array habits = {Habit{"history", "'sctr image history' shows it"},
                               Habit{"info", "'sctr doctor' and 'sctr system df' show it"},
                               Habit{"login", "'skopeo login' does it: its file is read"},
                               Habit{"logout", "'skopeo logout' does it"},
                               Habit{"search", "'skopeo list-tags' lists a repository's tags"},
                               Habit{"version", "'sctr --version' shows it"}};

Error unknown_verb(const std::string& word) {
    const auto* const habit = std::ranges::find(habits, word, &Habit::verb);
    if (habit != habits.end()) {
        return Error("unknown verb '" + word + "'").mend(habit->here);
    }
    std::vector<std::string> names(verbs.size());
    std::ranges::transform(
        verbs, names.begin(), [](const Verb& verb) { return std::string(verb.name); });
    Error error("unknown verb '" + word + "'");
    if (const std::string close = nearest(word, names); !close.empty()) {
        error.because("did you mean '" + close + "'?");
    }
    error.mend("see 'sctr --help'");
    return error;
}

/// The flags before the verb; built only when there are such, or no verb.
int run_top(const Words& words) {
    bool version = false;
    bool system = false;
    bool user = false;
    CLI::App app("Runs containers as systemd scopes.", "sctr");
    describe(app,
             "[OPTIONS] VERB ...",
             {"sctr run -it docker.io/library/debian bash",
              "sctr ps",
              "sctr --system restart web     # as a member of the group sctr",
              "sctr run --help"});
    add_switch(app, "--version", version, "print the version");
    add_switch(app, "--system", system, "the system's containers, for others than root by polkit");
    add_switch(app, "--user", user, "the caller's own containers (default)");
    for (const Verb& verb : verbs) {
        app.add_subcommand(std::string(verb.name), verb.summary)->group("Verbs");
    }
    auto [flags, more] = split_words(app, words);
    const Words rest = ungrouped(more);
    parse_flags(app, flags);
    if (version) {
        std::puts("sctr version " SCTR_VERSION);
        return 0;
    }
    if (rest.empty()) {
        throw HelpText{app.help()};
    }
    const Verb* verb = find_verb(rest.front());
    if (verb == nullptr) {
        throw unknown_verb(rest.front());
    }
    choose_target(system, user);
    require_own_target(verb->name, verb->for_root_alone);
    return verb->run({rest.begin() + 1, rest.end()});
}

int dispatch(const Words& all) {
    const Words words = ungrouped(all);
    const Verb* verb = words.empty() ? nullptr : find_verb(words.front());
    return verb != nullptr ? verb->run({words.begin() + 1, words.end()}) : run_top(words);
}

int guarded(const Words& words) {
    try {
        const int status = dispatch(words);
        if (std::fflush(stdout) != 0) {
            throw Error("cannot write to standard output").because(errno);
        }
        return status;
    } catch (const HelpText& help) {
        std::fputs(help.text.c_str(), stdout);
        return 0;
    } catch (const Error& error) {
        log(LogLevel::error, error.what());
        return static_cast<int>(error.exit_code());
    } catch (const std::exception& error) {
        log(LogLevel::error, std::string("internal error: ") + error.what());
        return static_cast<int>(ExitCode::runtime_error);
    }
}

} // namespace

} // namespace sctr::cli

int main(int argc, char** argv) {
    sctr::sys::sanitize_process();
    const std::span<char*> all(argv, static_cast<std::size_t>(argc));
    return sctr::cli::guarded({all.begin() + (argc > 0 ? 1 : 0), all.end()});
}
