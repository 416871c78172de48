// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/run_flags.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/network_flags.hpp"
#include "cli/run_flag_list.hpp"

namespace sctr::cli {
namespace {

/// -p was for properties alone once, and what they look like no port does.
void settle_properties(RunFlags& flags) {
    for (const std::string& word : flags.network.publish) {
        if (is_property_word(word)) {
            flags.limits.properties.push_back(word);
            flags.typed.add("--property", "-p", word);
        }
    }
    std::erase_if(flags.network.publish, is_property_word);
}

/// `only`: see Registrar.
RunFlags parse_words(const std::vector<std::string>& words,
                     const std::vector<std::string>* only,
                     const std::string& verb) {
    RunFlags flags;
    CLI::App app(verb == "run" ? "Runs a command in a new container, in the foreground or with -d."
                               : "Stores a container, to be started as a service later.",
                 "sctr " + verb);
    describe(app,
             "[OPTIONS] IMAGE|--rootfs DIR [--] [COMMAND [ARG...]]",
             {"sctr " + verb + " -it docker.io/library/debian bash",
              "sctr " + verb + " -p 8080:80 --name web docker.io/library/nginx",
              "sctr " + verb + " -it --rootfs ./debian /bin/bash",
              "sctr " + verb + " --name db -m 512m --cpus 1.5 -v ./data:/data postgres",
              "sctr run -d --name web --restart always --after db --rootfs ./web /bin/httpd",
              "sctr run -d --health-cmd 'curl -f localhost' --sdnotify healthy --rootfs ./api api",
              "sctr run --ip-deny any --ip-allow 10.0.0.0/8 --network host --rootfs ./app /bin/app",
              "sctr run --dry-run --read-only --tmpfs /tmp --rootfs ./busybox /bin/true"});
    Registrar to(app, only);
    register_run_flags(to, flags);
    auto [flag_words, command] = split_words(app, words);
    parse_flags(app, flag_words);
    flags.words = std::move(flag_words);
    const CLI::Option* remove = app.get_option_no_throw("--rm");
    flags.remove_given = remove != nullptr && remove->count() > 0;
    flags.typed = TypedNames(app, flags.words);
    settle_properties(flags);
    flags.namespaces.network =
        as_typed(flags.typed, [&] { return parse_networks(flags.network.networks).space; });
    flags.command = std::move(command);
    if (!flags.rootfs && !flags.command.empty()) {
        flags.image = flags.command.front();
        flags.command.erase(flags.command.begin());
    }
    return flags;
}

std::vector<std::string> without_run_flags(const std::vector<std::string>& flags,
                                           const std::vector<std::string>& names) {
    RunFlags ignored;
    CLI::App app;
    Registrar all(app, nullptr);
    register_run_flags(all, ignored);
    return without_flags(app, flags, names);
}

} // namespace

void add_process_flags(CLI::App& app, ProcessFlags& flags) {
    Registrar all(app, nullptr);
    register_process_flags(all, flags);
}

void add_limit_flags(CLI::App& app, LimitFlags& flags) {
    Registrar all(app, nullptr);
    register_limit_flags(all, flags, "-p,--property");
}

std::vector<std::string> without_networks(const std::vector<std::string>& flags) {
    return without_run_flags(
        flags, {"--network", "--net", "--ip", "--ip6", "--mac-address", "--network-alias"});
}

std::vector<std::string> without_label_files(const std::vector<std::string>& flags) {
    return without_run_flags(flags, {"--label-file"});
}

std::vector<std::string> without_overridden(const std::vector<std::string>& flags) {
    RunFlags ignored;
    CLI::App app;
    Registrar to(app, &flags);
    register_run_flags(to, ignored);
    return without_overridden(app, flags);
}

std::vector<std::string> with_limits(const std::vector<std::string>& flags,
                                     const std::vector<std::string>& given) {
    RunFlags ignored;
    CLI::App app;
    Registrar to(app, &flags);
    register_run_flags(to, ignored);
    std::vector<std::string> all = flags;
    for (const auto& alternatives :
         {std::vector<std::string>{"--cpus", "--cpu-quota", "--cpu-period"},
          std::vector<std::string>{"--cpu-weight", "--cpu-shares"}}) {
        if (without_flags(app, given, alternatives).size() != given.size()) {
            all = without_flags(app, all, alternatives);
        }
    }
    all.insert(all.end(), given.begin(), given.end());
    return without_overridden(app, all);
}

RunFlags parse_run_flags(const std::vector<std::string>& words, const char* verb) {
    try {
        return parse_words(words, &words, verb);
    } catch (const HelpText&) {
        // Only the whole set of flags can be shown,
    } catch (const Error&) {
        // or tell which one was meant.
    }
    return parse_words(words, nullptr, verb);
}

} // namespace sctr::cli
