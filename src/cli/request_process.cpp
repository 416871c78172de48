// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
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

std::vector<std::string> environment(const RunFlags& flags,
                                     const RootfsFacts& facts,
                                     const oci::Spec& spec,
                                     const std::string& home) {
    Environment result;
    result.set("PATH", default_path);
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
    apply_environment(result, flags.process, facts);
    if (!result.has("HOME")) {
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

} // namespace

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
    process.cwd = container_path(
        "--workdir",
        flags.process.workdir.value_or(image.working_dir.empty() ? "/" : image.working_dir));
    process.env = environment(flags, facts, spec, account.home);
    process.rlimits = rlimits(flags.limits.ulimits);
}

} // namespace sctr::cli
