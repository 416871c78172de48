// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr const char* form = "HOST[:CONTAINER][:rwm], as /dev/fuse or /dev/sda:/dev/disk:r";

/// --device taken apart.
struct DeviceFlag {
    std::string source;
    std::string target;
    std::string access = "rwm";
};

bool is_access(const std::string& word) {
    return !word.empty() && word.size() <= 3 && word.find_first_not_of("rwm") == std::string::npos;
}

DeviceFlag parse_device(const std::string& text) {
    const auto parts = split(text, ':');
    if (!parts[0].starts_with('/') || parts.size() > 3) {
        throw bad_value("--device", text, "", form);
    }
    DeviceFlag device{.source = parts[0], .target = parts[0]};
    std::size_t next = 1;
    if (parts.size() > next && parts[next].starts_with('/')) {
        device.target = parts[next++];
    }
    if (parts.size() > next && is_access(parts[next])) {
        device.access = parts[next++];
    }
    if (next != parts.size()) {
        throw bad_value("--device", text, "'" + parts[next] + "' is neither path nor access", form);
    }
    return device;
}

oci::DeviceCgroup rule(char type, std::int64_t major, std::int64_t minor, const char* access) {
    return {.allow = true,
            .type = std::string(1, type),
            .major = major,
            .minor = minor,
            .access = access};
}

/// podman's rules: nodes may be made, only harmless devices opened.
std::vector<oci::DeviceCgroup> default_rules() {
    std::vector<oci::DeviceCgroup> rules = {
        {.allow = false, .access = "rwm"},
        {.allow = true, .type = "c", .access = "m"},
        {.allow = true, .type = "b", .access = "m"},
        rule('c', 1, 3, "rwm"), // null
        rule('c', 1, 5, "rwm"), // zero
        rule('c', 1, 7, "rwm"), // full
        rule('c', 5, 0, "rwm"), // tty
        rule('c', 1, 9, "rwm"), // urandom
        rule('c', 1, 8, "rwm"), // random
        rule('c', 5, 2, "rwm"), // ptmx
    };
    rules.push_back({.allow = true, .type = "c", .major = 136, .access = "rwm"}); // pts
    return rules;
}

constexpr const char* rule_form = "a, b or c, then MAJOR:MINOR (* for any), then of r, w and m: "
                                  "'c 1:3 rwm'";

/// -1 for any. Nothing: no such number.
std::optional<std::int64_t> parse_device_number(const std::string& text) {
    constexpr std::uint64_t highest = 0xffffffff;
    if (text == "*") {
        return -1;
    }
    const auto number = parse_uint(text);
    return number && *number <= highest ? std::optional<std::int64_t>(*number) : std::nullopt;
}

/// As cgroup v1's devices.allow took it, and docker and podman still do.
oci::DeviceCgroup parse_rule(const std::string& text) {
    constexpr const char* flag = "--device-cgroup-rule";
    const auto words = words_of(text);
    const bool has_type =
        words.size() == 3 && words[0].size() == 1 && std::string_view("abc").contains(words[0]);
    if (!has_type || !is_access(words[2])) {
        throw bad_value(flag, text, "", rule_form);
    }
    const auto [major_text, minor_text] = split_once(words[1], ':');
    const auto major = parse_device_number(major_text);
    const auto minor = parse_device_number(minor_text.value_or(""));
    if (!major || !minor) {
        throw bad_value(flag, text, "'" + words[1] + "' is not MAJOR:MINOR", rule_form);
    }
    if (*major < 0 && *minor >= 0) {
        throw bad_value(
            flag, text, "systemd has no word for a minor number of any major number", rule_form);
    }
    if (words[0] == "a" && *major >= 0) {
        throw bad_value(flag, text, "of all types there are all devices alone", "'a *:* rwm'");
    }
    oci::DeviceCgroup rule{.allow = true, .type = words[0], .access = words[2]};
    if (*major >= 0) {
        rule.major = major;
    }
    if (*minor >= 0) {
        rule.minor = minor;
    }
    return rule;
}

void add_rules(std::vector<oci::DeviceCgroup>& rules,
               const std::vector<std::string>& flags,
               bool privileged,
               const RootfsFacts& facts) {
    for (const std::string& text : flags) {
        oci::DeviceCgroup rule = parse_rule(text);
        if (!facts.own_uids.empty()) {
            throw Error("a plain user's systemd has no say in devices")
                .at("--device-cgroup-rule " + text)
                .because("what the container may use is what you may, by the files' own modes")
                .mend("use --device, or run it as root");
        }
        if (!privileged) { // to whom everything is allowed
            rules.push_back(std::move(rule));
        }
    }
}

void add_node(oci::Spec& spec, const HostDevice& device, const std::string& target) {
    std::erase_if(spec.linux.devices, [&](const auto& other) { return other.path == target; });
    spec.linux.devices.push_back({.path = target,
                                  .type = std::string(1, device.type),
                                  .major = device.major,
                                  .minor = device.minor,
                                  .file_mode = device.mode,
                                  .uid = device.uid,
                                  .gid = device.gid});
}

} // namespace

void add_devices(oci::Spec& spec,
                 const MountFlags& flags,
                 bool privileged,
                 const RootfsFacts& facts) {
    auto& rules = spec.linux.resources.devices;
    if (privileged) {
        rules = {{.allow = true, .access = "rwm"}};
        for (const HostDevice& device : facts.all_devices) {
            add_node(spec, device, device.path);
        }
    } else {
        rules = default_rules();
    }
    add_rules(rules, flags.device_rules, privileged, facts);
    for (const std::string& text : flags.devices) {
        const DeviceFlag flag = parse_device(text);
        const auto found = facts.devices.find(flag.source);
        if (found == facts.devices.end() || found->second.empty()) {
            throw bad_value("--device", text, "not a device of this host", form);
        }
        for (const HostDevice& device : found->second) {
            // A directory, as /dev/snd, brings every device below it.
            const std::string below =
                device.path.substr(std::min(flag.source.size(), device.path.size()));
            add_node(spec, device, container_path("--device", flag.target + below));
            if (!privileged) {
                rules.push_back(rule(device.type, device.major, device.minor, flag.access.c_str()));
            }
        }
    }
}

} // namespace sctr::cli
