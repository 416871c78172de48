// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The image's entrypoint and command, each replaced by what the caller gives; with another
/// entrypoint the image's command would make no sense. Source: docker-run, --entrypoint.
std::vector<std::string> arguments(const RunFlags& flags, const RootfsFacts& facts) {
    std::vector<std::string> args = facts.image_process.entrypoint;
    if (flags.entrypoint) {
        args.assign(flags.entrypoint->empty() ? 0 : 1, *flags.entrypoint);
    }
    const bool takes_cmd = flags.command.empty() && !flags.entrypoint;
    const auto& command = takes_cmd ? facts.image_process.cmd : flags.command;
    args.insert(args.end(), command.begin(), command.end());
    if (args.empty() && !facts.image.empty()) {
        throw Error("no command to run")
            .at(facts.image)
            .because("the image has none of its own")
            .mend("give one: sctr run " + facts.image + " sh");
    }
    if (args.empty()) {
        throw Error("no command to run")
            .because("a root file system, unlike an image, has no default command")
            .mend("give one: sctr run --rootfs DIR /bin/sh");
    }
    if (args.front().empty()) {
        throw Error("the command is empty").exit_with(ExitCode::not_found);
    }
    return args;
}

/// What systemd tells a process of itself, which another one takes for its own.
bool is_of_one_process(const std::string& name) {
    constexpr std::array<std::string_view, 7> names = {"NOTIFY_SOCKET",
                                                       "LISTEN_FDS",
                                                       "LISTEN_FDNAMES",
                                                       "LISTEN_PID",
                                                       "JOURNAL_STREAM",
                                                       "WATCHDOG_PID",
                                                       "WATCHDOG_USEC"};
    return std::ranges::contains(names, name);
}

/// What the image and the flags may say otherwise.
void add_callers_variables(Environment& result, const RunFlags& flags, const RootfsFacts& facts) {
    const auto proxies = flags.identity.http_proxy ? proxy_variables() : std::vector<std::string>();
    for (const auto& [name, value] : facts.environment) {
        const bool is_asked_for = flags.identity.env_host && !is_of_one_process(name);
        if (is_asked_for || std::ranges::contains(proxies, name)) {
            result.set(name, value);
        }
    }
}

void add_default_variables(Environment& result,
                           const RunFlags& flags,
                           const RootfsFacts& facts,
                           const oci::Spec& spec) {
    result.set("PATH", default_path);
    add_callers_variables(result, flags, facts);
    for (const std::string& line : facts.image_process.env) {
        const auto [name, value] = split_once(line, '=');
        result.set(name, value.value_or(""));
    }
    if (!spec.hostname.empty()) {
        result.set("HOSTNAME", spec.hostname);
    }
    if (flags.process.tty) {
        const auto term = facts.environment.find("TERM");
        result.set("TERM", term != facts.environment.end() ? term->second : "xterm");
    }
    result.set("container", "sctr");
}

std::vector<std::string> environment(const RunFlags& flags,
                                     const RootfsFacts& facts,
                                     const oci::Spec& spec,
                                     const std::string& home) {
    Environment result;
    const IdentityFlags& identity = flags.identity;
    if (!identity.unset_all_env) {
        add_default_variables(result, flags, facts, spec);
    }
    for (const std::string& name : identity.unset_env) {
        if (name.empty() || name.contains('=')) {
            throw bad_value("--unsetenv", name, "", "the NAME of a variable");
        }
        result.unset(name);
    }
    apply_environment(result, flags.process, facts);
    if (!result.has("HOME") && !identity.unset_all_env &&
        !std::ranges::contains(identity.unset_env, "HOME")) {
        result.set("HOME", home);
    }
    return result.lines();
}

bool is_mapped(std::uint32_t id, const std::vector<oci::IdMapping>& maps) {
    return maps.empty() || std::ranges::any_of(maps, [id](const oci::IdMapping& map) {
               return id >= map.container_id && id - map.container_id < map.size;
           });
}

/// `kind` is "user" or "group"; `has_own_ids` where a plain user has said nothing about maps.
Error unmapped(const std::string& kind,
               std::uint32_t id,
               bool has_own_ids,
               const RootfsFacts& facts) {
    Error error(kind + " " + std::to_string(id) + " has no id in the container");
    error.at("--user");
    const std::string letter = kind.substr(0, 1);
    if (!has_own_ids) {
        return error.because("it is not in any --" + letter + "idmap");
    }
    return error.because("/etc/sub" + letter + "id gives you no range with it")
        .mend("let root run `usermod --add-sub" + letter +
              "ids 100000-165535` on the account with uid " +
              std::to_string(facts.own_uids.front().host_id));
}

/// The kernel would refuse setuid with a bare EINVAL.
void check_mapped(const oci::User& user, const oci::Linux& config, const RootfsFacts& facts) {
    if (!is_mapped(user.uid, config.uid_mappings)) {
        throw unmapped(
            "user", user.uid, facts.kept || config.uid_mappings == facts.own_uids, facts);
    }
    if (!is_mapped(user.gid, config.gid_mappings)) {
        throw unmapped(
            "group", user.gid, facts.kept || config.gid_mappings == facts.own_gids, facts);
    }
}

/// Where neither the caller nor the image names one.
std::string default_user(const RunFlags& flags, const RootfsFacts& facts) {
    const auto kept = kept_ids(flags.namespaces, facts);
    return kept ? std::to_string(kept->uid) + ":" + std::to_string(kept->gid) : "0";
}

struct LimitName {
    std::string_view flag;
    std::string_view type;
};

/// The names that docker and podman take (getrlimit(2)).
constexpr std::array<LimitName, 16> limit_names = {{
    {"as", "RLIMIT_AS"},
    {"core", "RLIMIT_CORE"},
    {"cpu", "RLIMIT_CPU"},
    {"data", "RLIMIT_DATA"},
    {"fsize", "RLIMIT_FSIZE"},
    {"locks", "RLIMIT_LOCKS"},
    {"memlock", "RLIMIT_MEMLOCK"},
    {"msgqueue", "RLIMIT_MSGQUEUE"},
    {"nice", "RLIMIT_NICE"},
    {"nofile", "RLIMIT_NOFILE"},
    {"nproc", "RLIMIT_NPROC"},
    {"rss", "RLIMIT_RSS"},
    {"rtprio", "RLIMIT_RTPRIO"},
    {"rttime", "RLIMIT_RTTIME"},
    {"sigpending", "RLIMIT_SIGPENDING"},
    {"stack", "RLIMIT_STACK"},
}};

std::uint64_t parse_rlimit(const std::string& text, const std::string& whole) {
    if (text == "-1" || text == "unlimited") {
        return std::numeric_limits<std::uint64_t>::max(); // RLIM_INFINITY
    }
    const auto number = parse_uint(text);
    if (!number) {
        throw bad_value(
            "--ulimit", whole, "not a number", "NAME=SOFT[:HARD], each a number or unlimited");
    }
    return *number;
}

oci::Rlimit parse_ulimit(const std::string& text) {
    const auto [name, value] = split_once(text, '=');
    const auto* const known = std::ranges::find(limit_names, name, &LimitName::flag);
    if (known == limit_names.end()) {
        std::string names;
        for (const auto& entry : limit_names) {
            names += (names.empty() ? "" : ", ") + std::string(entry.flag);
        }
        throw bad_value("--ulimit", text, "no such limit", "one of " + names);
    }
    if (!value) {
        throw bad_value("--ulimit", text, "no value", "NAME=SOFT[:HARD]");
    }
    const auto [soft_text, hard_text] = split_once(*value, ':');
    oci::Rlimit limit{.type = std::string(known->type)};
    limit.soft = parse_rlimit(soft_text, text);
    limit.hard = hard_text ? parse_rlimit(*hard_text, text) : limit.soft;
    if (limit.soft > limit.hard) {
        throw bad_value("--ulimit", text, "soft is above hard", "a soft limit up to the hard one");
    }
    return limit;
}

std::vector<oci::Rlimit> rlimits(const std::vector<std::string>& flags) {
    std::vector<oci::Rlimit> limits;
    for (const std::string& text : flags) {
        if (text == "host") {
            continue; // What is not named is inherited anyway.
        }
        auto limit = parse_ulimit(text);
        std::erase_if(limits, [&](const oci::Rlimit& other) { return other.type == limit.type; });
        limits.push_back(std::move(limit));
    }
    return limits;
}

mode_t parse_umask(const std::string& text) {
    constexpr unsigned most = 0777;
    constexpr int octal = 8;
    unsigned mask = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, mask, octal);
    if (failure != std::errc{} || stop != end || mask > most) {
        throw bad_value("--umask", text, "", "an octal number from 0000 to 0777");
    }
    return mask;
}

void add_groups(oci::User& user,
                const RunFlags& flags,
                const oci::Linux& config,
                const RootfsFacts& facts) {
    for (const std::string& word : flags.identity.groups) {
        const gid_t gid = find_group("--group-add", word, facts.group);
        if (!is_mapped(gid, config.gid_mappings)) {
            throw Error("group " + std::to_string(gid) + " has no id in the container")
                .at("--group-add " + word)
                .because("it is not in any map of group ids");
        }
        if (!std::ranges::contains(user.additional_gids, gid)) {
            user.additional_gids.push_back(gid);
        }
    }
}

} // namespace

std::vector<std::string> proxy_variables() {
    return {"http_proxy",
            "https_proxy",
            "ftp_proxy",
            "no_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "FTP_PROXY",
            "NO_PROXY"};
}

void add_process(oci::Spec& spec, const RunFlags& flags, const RootfsFacts& facts) {
    oci::Process& process = spec.process.emplace();
    process.args = arguments(flags, facts);
    process.terminal = flags.process.tty;
    const oci::ImageProcess& image = facts.image_process;
    const Account account = find_account(
        flags.process.user.value_or(image.user.empty() ? default_user(flags, facts) : image.user),
        facts.passwd,
        facts.group);
    process.user.uid = account.uid;
    process.user.gid = account.gid;
    process.user.additional_gids = account.additional_gids;
    check_mapped(process.user, spec.linux, facts);
    add_groups(process.user, flags, spec.linux, facts);
    if (flags.identity.umask) {
        process.user.umask = parse_umask(*flags.identity.umask);
    }
    process.cwd = container_path(
        "--workdir",
        flags.process.workdir.value_or(image.working_dir.empty() ? "/" : image.working_dir));
    process.env = environment(flags, facts, spec, account.home);
    process.rlimits = rlimits(flags.limits.ulimits);
}

} // namespace sctr::cli
