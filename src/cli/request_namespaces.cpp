// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/request_builder.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

using oci::NamespaceType;

/// A namespace flag taken apart.
struct Mode {
    enum class Kind { own, host, container, path } kind = Kind::own;
    std::string value; ///< the container's name, or the path
};

struct Choice {
    const char* flag;
    NamespaceType type;
    const char* proc_name; ///< below /proc/PID/ns
    const std::optional<std::string> NamespaceFlags::* value;
    std::array<std::string_view, 2> own_words; ///< what means "a new one"
};

constexpr std::array<Choice, 6> choices = {{
    {"--pid", NamespaceType::pid, "pid", &NamespaceFlags::pid, {"private", ""}},
    {"--ipc", NamespaceType::ipc, "ipc", &NamespaceFlags::ipc, {"private", "shareable"}},
    {"--uts", NamespaceType::uts, "uts", &NamespaceFlags::uts, {"private", ""}},
    {"--cgroupns", NamespaceType::cgroup, "cgroup", &NamespaceFlags::cgroup, {"private", ""}},
    {"--network", NamespaceType::network, "net", &NamespaceFlags::network, {"none", ""}},
    {"--userns", NamespaceType::user, "user", &NamespaceFlags::user, {"host", ""}},
}};

std::string form_of(const Choice& choice) {
    const std::string own(choice.own_words[0]);
    return (own == "host" ? own : own + ", host") + ", container:NAME or ns:PATH";
}

void refuse_future_words(const Choice& choice, const std::string& word) {
    if (choice.type == NamespaceType::user && word == "nomap") {
        throw bad_value("--userns",
                        word,
                        "a plain user's containers have him as their root",
                        "no --userns, or keep-id");
    }
}

/// The rest of "NAME" or "NAME:OPTIONS", if the word is that.
std::optional<std::string> options_of(std::string_view name,
                                      const std::optional<std::string>& word) {
    if (!word) {
        return std::nullopt;
    }
    const auto [first, options] = split_once(*word, ':');
    return first == name ? std::optional(options.value_or("")) : std::nullopt;
}

std::optional<std::string> auto_options(const std::optional<std::string>& word) {
    return options_of("auto", word);
}

std::optional<std::string> keep_id_options(const std::optional<std::string>& word) {
    return options_of("keep-id", word);
}

Mode parse_mode(const Choice& choice, const std::string& word) {
    if (choice.type == NamespaceType::user && (auto_options(word) || keep_id_options(word))) {
        return {.kind = Mode::Kind::host}; // its maps make the namespace
    }
    if (word == choice.own_words[0] || (!word.empty() && word == choice.own_words[1])) {
        return {.kind = word == "host" ? Mode::Kind::host : Mode::Kind::own};
    }
    if (word == "host") {
        return {.kind = Mode::Kind::host};
    }
    const auto [scheme, rest] = split_once(word, ':');
    if (scheme == "container" && rest && !rest->empty()) {
        return {.kind = Mode::Kind::container, .value = *rest};
    }
    if (scheme == "ns" && rest && rest->starts_with('/')) {
        return {.kind = Mode::Kind::path, .value = *rest};
    }
    if (word.starts_with('/')) {
        return {.kind = Mode::Kind::path, .value = word};
    }
    refuse_future_words(choice, word);
    throw bad_value(choice.flag, word, "", form_of(choice));
}

Mode mode_of(const Choice& choice, const NamespaceFlags& flags) {
    const auto& word = flags.*choice.value;
    if (word) {
        return parse_mode(choice, *word);
    }
    return {.kind = choice.type == NamespaceType::user ? Mode::Kind::host : Mode::Kind::own};
}

std::string
container_namespace(const Choice& choice, const std::string& name, const RootfsFacts& facts) {
    const auto found = facts.containers.find(name);
    if (found == facts.containers.end()) {
        throw Error("no running container '" + name + "'").at(choice.flag).mend("see 'sctr ps'");
    }
    return "/proc/" + std::to_string(found->second) + "/ns/" + choice.proc_name;
}

oci::IdMapping parse_map(const char* flag, const std::string& text) {
    constexpr std::int64_t highest = std::numeric_limits<std::uint32_t>::max() - 1;
    const auto parts = split(text, ':');
    if (parts.size() != 3) {
        throw bad_value(flag, text, "", "CONTAINER:HOST:SIZE, as 0:100000:65536");
    }
    std::array<std::int64_t, 3> numbers{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        numbers[i] = parse_in_range(flag, parts[i], i == 2 ? 1 : 0, highest);
    }
    if (std::max(numbers[0], numbers[1]) + numbers[2] > highest + 1) {
        throw bad_value(flag, text, "goes past the last id", "ids below 4294967295");
    }
    return {.container_id = static_cast<std::uint32_t>(numbers[0]),
            .host_id = static_cast<std::uint32_t>(numbers[1]),
            .size = static_cast<std::uint32_t>(numbers[2])};
}

bool overlap(std::uint64_t a, std::uint64_t b, std::uint64_t a_size, std::uint64_t b_size) {
    return a < b + b_size && b < a + a_size;
}

std::vector<oci::IdMapping> parse_maps(const char* flag, const std::vector<std::string>& texts) {
    std::vector<oci::IdMapping> maps;
    for (const std::string& text : texts) {
        const auto map = parse_map(flag, text);
        for (const auto& other : maps) {
            if (overlap(map.container_id, other.container_id, map.size, other.size) ||
                overlap(map.host_id, other.host_id, map.size, other.size)) {
                throw bad_value(flag, text, "overlaps an earlier map", "ranges that do not meet");
            }
        }
        maps.push_back(map);
    }
    return maps;
}

/// Ids of the host that no other container has.
void add_reserved_ids(oci::Spec& spec, const std::string& options, const RootfsFacts& facts) {
    if (facts.reserved_ids == 0) {
        throw Error("only root has ids to reserve for a container")
            .at("--userns auto")
            .mend("drop it: a plain user's containers have his subordinate ids");
    }
    constexpr std::int64_t all = 65536;
    std::int64_t size = all;
    if (!options.empty()) {
        const auto [key, value] = split_once(options, '=');
        if (key != "size" || !value) {
            throw bad_value("--userns", "auto:" + options, "", "auto or auto:size=NUMBER");
        }
        size = parse_in_range("--userns auto:size", *value, 1, all);
    }
    const oci::IdMapping map{.host_id = facts.reserved_ids,
                             .size = static_cast<std::uint32_t>(size)};
    spec.linux.uid_mappings = {map};
    spec.linux.gid_mappings = {map};
    spec.linux.namespaces.push_back({.type = NamespaceType::user});
}

/// Without a word about it root's containers have the host's ids, and a plain user's his own.
void add_id_maps(oci::Spec& spec, const NamespaceFlags& flags, const RootfsFacts& facts) {
    if (flags.uid_maps.empty() && flags.gid_maps.empty()) {
        if (const auto options = auto_options(flags.user)) {
            add_reserved_ids(spec, *options, facts);
        } else if (const auto kept = kept_ids(flags, facts)) {
            spec.linux.uid_mappings = plan::keep_id_map(facts.own_uids, kept->uid);
            spec.linux.gid_mappings = plan::keep_id_map(facts.own_gids, kept->gid);
            spec.linux.namespaces.push_back({.type = NamespaceType::user});
        } else if (!flags.user && !facts.own_uids.empty()) {
            spec.linux.uid_mappings = facts.own_uids;
            spec.linux.gid_mappings = facts.own_gids;
            spec.linux.namespaces.push_back({.type = NamespaceType::user});
        }
        return;
    }
    if (flags.user) {
        throw Error("--uidmap and --gidmap make a user namespace of their own")
            .at("--userns " + *flags.user)
            .mend("drop --userns, or the maps");
    }
    // One flag is enough, as in podman: most people map users and groups alike.
    spec.linux.uid_mappings =
        parse_maps("--uidmap", flags.uid_maps.empty() ? flags.gid_maps : flags.uid_maps);
    spec.linux.gid_mappings =
        parse_maps("--gidmap", flags.gid_maps.empty() ? flags.uid_maps : flags.gid_maps);
    spec.linux.namespaces.push_back({.type = NamespaceType::user});
}

void add_time_offsets(oci::Spec& spec, const std::string& text) {
    constexpr std::int64_t most = 9'000'000'000; // KTIME_SEC_MAX is 9.2e9 seconds.
    constexpr const char* flag = "--time-offset";
    for (const std::string& part : split(text, ',')) {
        const auto [clock, seconds] = split_once(part, '=');
        if ((clock != "monotonic" && clock != "boottime") || !seconds) {
            throw bad_value(flag, text, "", "monotonic=SECONDS, boottime=SECONDS, or both");
        }
        spec.linux.time_offsets[clock] = {.secs = parse_in_range(flag, *seconds, -most, most)};
    }
    spec.linux.namespaces.push_back({.type = NamespaceType::time});
}

} // namespace

void add_namespaces(oci::Spec& spec, const NamespaceFlags& flags, const RootfsFacts& facts) {
    spec.linux.namespaces.push_back({.type = NamespaceType::mount});
    for (const Choice& choice : choices) {
        const Mode mode = mode_of(choice, flags);
        switch (mode.kind) {
        case Mode::Kind::own:
            spec.linux.namespaces.push_back({.type = choice.type});
            break;
        case Mode::Kind::host:
            break;
        case Mode::Kind::container:
            spec.linux.namespaces.push_back(
                {.type = choice.type, .path = container_namespace(choice, mode.value, facts)});
            break;
        case Mode::Kind::path:
            spec.linux.namespaces.push_back({.type = choice.type, .path = mode.value});
            break;
        }
    }
    add_id_maps(spec, flags, facts);
    if (flags.time_offset) {
        add_time_offsets(spec, *flags.time_offset);
    }
}

bool wants_id_range(const NamespaceFlags& flags) {
    return auto_options(flags.user).has_value();
}

std::optional<plan::KeptIds> kept_ids(const NamespaceFlags& flags, const RootfsFacts& facts) {
    constexpr std::int64_t highest = std::numeric_limits<std::uint32_t>::max() - 1;
    const auto options = keep_id_options(flags.user);
    if (!options) {
        return std::nullopt;
    }
    if (facts.own_uids.empty()) {
        throw Error("only a plain user has an id of his own to keep")
            .at("--userns keep-id")
            .mend("drop it: root's containers have the host's ids; or use auto");
    }
    plan::KeptIds kept{.uid = facts.own_uids.front().host_id,
                       .gid = facts.own_gids.front().host_id};
    for (const std::string& part :
         options->empty() ? std::vector<std::string>() : split(*options, ',')) {
        const auto [key, value] = split_once(part, '=');
        if ((key != "uid" && key != "gid") || !value) {
            throw bad_value(
                "--userns", "keep-id:" + *options, "", "keep-id, or keep-id:uid=NUMBER,gid=NUMBER");
        }
        (key == "uid" ? kept.uid : kept.gid) = static_cast<std::uint32_t>(
            parse_in_range("--userns keep-id:" + key, *value, 0, highest));
    }
    return kept;
}

namespace {

std::string joined_container(NamespaceType type, const NamespaceFlags& flags) {
    const auto choice = std::ranges::find(choices, type, &Choice::type);
    const Mode mode = mode_of(*choice, flags);
    return mode.kind == Mode::Kind::container ? mode.value : "";
}

} // namespace

std::string ipc_container(const NamespaceFlags& flags) {
    return joined_container(NamespaceType::ipc, flags);
}

std::string user_container(const NamespaceFlags& flags) {
    return joined_container(NamespaceType::user, flags);
}

std::set<std::string> joined_containers(const NamespaceFlags& flags) {
    std::set<std::string> names;
    for (const Choice& choice : choices) {
        const Mode mode = mode_of(choice, flags);
        if (mode.kind == Mode::Kind::container) {
            names.insert(mode.value);
        }
    }
    return names;
}

} // namespace sctr::cli
