// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/service_flags.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/secret_flags.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

plan::Restart parse_restart(const std::string& text) {
    if (text == "no") {
        return plan::Restart::no;
    }
    if (text == "on-failure") {
        return plan::Restart::on_failure;
    }
    // systemd never restarts what was stopped by hand: the two are the same here.
    if (text == "always" || text == "unless-stopped") {
        return plan::Restart::always;
    }
    throw bad_value("--restart", text, "", "no, on-failure[:TIMES] or always");
}

/// POLICY[:TIMES]; 0 times: without end, as in docker and podman.
void read_restart(plan::ServiceOptions& options, const std::string& text) {
    const auto [policy, times] = split_once(text, ':');
    options.restart = parse_restart(policy);
    if (!times) {
        return;
    }
    if (options.restart != plan::Restart::on_failure) {
        throw bad_value(
            "--restart", text, "only failures are counted", "no, on-failure[:TIMES] or always");
    }
    constexpr std::int64_t most = 1'000'000;
    const std::int64_t count = parse_in_range("--restart on-failure", *times, 0, most);
    if (count > 0) {
        options.most_restarts = static_cast<int>(count);
    }
}

/// A unit's or a container's name, as it is written into a unit file.
void check_unit_word(const char* flag, const std::string& word) {
    const bool is_name = std::ranges::all_of(word, [](unsigned char letter) {
        return letter > ' ' && letter < 0x7f && letter != '/' && letter != '"' && letter != '\'';
    });
    if (word.empty() || !is_name) {
        throw bad_value(flag, word, "", "the name of a container or of a unit: db, db.service");
    }
}

/// A service is kept, unless it is said that it is not.
bool is_forgotten(const RunFlags& flags) {
    return (flags.remove_given && flags.remove) || flags.remove_image;
}

/// What only a service has, or what its unit says.
void refuse_unit_settings(const RunFlags& flags) {
    for (const auto& [flag, given] :
         {std::pair{"--restart", flags.restart.has_value()},
          std::pair{"--after", !flags.after.empty()},
          std::pair{"--requires", !flags.requisite.empty()},
          std::pair{"--sdnotify", flags.sdnotify.has_value() && !flags.service}}) {
        if (given && flags.service) {
            throw Error("that is the unit's to say")
                .at(flag)
                .mend("give Restart=, After= or Requires= in " + *flags.service);
        }
        if (given) {
            throw Error("a container in the foreground is no service of systemd")
                .at(flag)
                .mend("add -d, or drop " + std::string(flag));
        }
    }
}

/// sctr itself holds what it runs in the foreground, and what it does not pass on would end it.
void require_signal_proxy(const RunFlags& flags) {
    if (!flags.signal_proxy) {
        throw Error("a container in the foreground ends with sctr")
            .at("--sig-proxy=false")
            .mend("add -d, and look on with 'sctr logs -f NAME' or 'sctr attach NAME'");
    }
}

/// What is there when it starts is nobody's.
void refuse_descriptors(const RunFlags& flags) {
    for (const auto& [flag, given] :
         {std::pair{"--preserve-fds", flags.identity.preserve_fds.value_or("0") != "0"},
          std::pair{"--preserve-fd", !flags.identity.preserve_fd.empty()}}) {
        if (given) {
            throw Error("a container in the background has nobody's file descriptors")
                .at(flag)
                .mend("drop -d, or pass files by -v");
        }
    }
}

/// A service has nobody before it.
void refuse_input(const RunFlags& flags) {
    if (flags.process.interactive && !flags.process.tty) {
        throw Error("a container in the background has nobody's standard input")
            .at("--interactive")
            .mend("add -t for a terminal to attach to, or drop -i");
    }
}

void check_service(const RunFlags& flags) {
    const std::string& unit = *flags.service;
    check_unit_word("--service", unit);
    if (!unit.ends_with(".service")) {
        throw bad_value("--service", unit, "no service", "the name of a unit: web.service");
    }
    refuse_input(flags);
    static_cast<void>(readiness(flags));
}

/// Names of the variables that are taken from the caller.
std::vector<std::string> inherited_names(const RunFlags& flags, const RootfsFacts& facts) {
    std::vector<std::string> names = flags.process.env;
    for (const std::string& text : facts.env_files) {
        for (std::string line : split(text, '\n')) {
            line.erase(0, line.find_first_not_of(" \t"));
            if (line.ends_with('\r')) {
                line.pop_back();
            }
            names.push_back(line);
        }
    }
    std::erase_if(names, [](const std::string& line) { return line.contains('='); });
    if (flags.process.tty) {
        names.emplace_back("TERM");
    }
    if (flags.identity.http_proxy) {
        std::ranges::move(proxy_variables(), std::back_inserter(names));
    }
    if (flags.identity.env_host) {
        std::ranges::copy(facts.environment | std::views::keys, std::back_inserter(names));
    }
    return names;
}

/// As they were typed: the image is the first word.
std::vector<std::string> command_of(const RunFlags& flags) {
    std::vector<std::string> command = flags.command;
    if (flags.image) {
        command.insert(command.begin(), *flags.image);
    }
    return command;
}

std::string absolute(const std::string& path, const std::string& directory) {
    return path.starts_with('/') ? path : directory + "/" + path;
}

} // namespace

plan::ServiceOptions service_options(const RunFlags& flags) {
    if (flags.detach && flags.service) {
        throw Error("--service does not go with --detach").mend("drop one of them");
    }
    if (!flags.detach) {
        refuse_unit_settings(flags);
        if (flags.service) {
            check_service(flags);
        } else {
            require_signal_proxy(flags);
        }
        return {};
    }
    plan::ServiceOptions options{
        .after = flags.after, .requisite = flags.requisite, .forget = is_forgotten(flags)};
    read_restart(options, flags.restart.value_or("no"));
    for (const SecretUse& use : parse_secrets(flags.mounts)) {
        if (use.is_credential) {
            options.credentials.push_back(use.path.empty() ? use.name : use.name + ":" + use.path);
        }
    }
    for (const std::string& word : options.after) {
        check_unit_word("--after", word);
    }
    for (const std::string& word : options.requisite) {
        check_unit_word("--requires", word);
    }
    if (options.forget && options.restart != plan::Restart::no) {
        throw Error(std::string(flags.remove_image ? "--rmi" : "--rm") +
                    " does not go with --restart")
            .because("what is forgotten when it ends cannot be started again")
            .mend("drop one of them");
    }
    static_cast<void>(readiness(flags));
    refuse_input(flags);
    refuse_descriptors(flags);
    return options;
}

Readiness readiness(const RunFlags& flags) {
    const std::string who = flags.sdnotify.value_or("exec");
    if (who == "exec") {
        return Readiness::executed;
    }
    if (who == "container") {
        return Readiness::notified;
    }
    if (who == "healthy") {
        return Readiness::healthy;
    }
    throw bad_value("--sdnotify", who, "", "exec, container or healthy");
}

container::Definition
make_definition(const RunFlags& flags, const plan::Request& request, const RootfsFacts& facts) {
    container::Definition definition{.name = request.id,
                                     .flags = flags.words,
                                     .command = command_of(flags),
                                     .working_directory = facts.working_directory,
                                     .env_files = facts.env_files,
                                     .description = request.description,
                                     .rootfs = facts.rootfs,
                                     .image = facts.image,
                                     .image_digest = facts.image_digest,
                                     .volume_owner = request.volume_owner,
                                     .labels = labels_of(request.spec.annotations),
                                     .forget = is_forgotten(flags)};
    for (const plan::VolumeUse& use : request.volumes) {
        definition.volumes.push_back(use.name);
    }
    const auto add = [&](const std::string& flag, const std::string& value) {
        definition.flags.push_back(flag + "=" + value);
    };
    // The last one wins.
    add("--name", request.id);
    add("--detach", "true");
    if (facts.image.empty()) {
        const auto& lower = facts.overlay.lower;
        add("--rootfs", lower.empty() ? facts.rootfs : lower.front() + ":O");
    }
    if (flags.pid_file) {
        add("--pidfile", absolute(*flags.pid_file, facts.working_directory));
    }
    if (const std::string file = seccomp_file(flags.privileges); !file.empty()) {
        add("--security-opt", "seccomp=" + absolute(file, facts.working_directory));
    }
    if (!flags.label_files.empty()) {
        // The files may be gone or say something else by the next start.
        definition.flags = without_label_files(definition.flags);
        std::vector<std::string> labels;
        for (const auto& [name, value] : labels_of_files(facts)) {
            labels.push_back("--label=" + name + "=" + value);
        }
        definition.flags.insert(definition.flags.begin(), labels.begin(), labels.end());
    }
    definition.flags = without_overridden(definition.flags);
    for (const std::string& name : inherited_names(flags, facts)) {
        if (const auto found = facts.environment.find(name); found != facts.environment.end()) {
            definition.environment.insert(*found);
        }
    }
    return definition;
}

std::vector<std::string> words_of(const container::Definition& definition) {
    std::vector<std::string> words = definition.flags;
    words.emplace_back("--");
    words.insert(words.end(), definition.command.begin(), definition.command.end());
    return words;
}

Caller caller_of(const container::Definition& definition) {
    return {.working_directory = definition.working_directory,
            .environment = definition.environment,
            .env_files = definition.env_files,
            .volume_owner = definition.volume_owner};
}

} // namespace sctr::cli
