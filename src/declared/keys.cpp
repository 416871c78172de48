// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/keys.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"

namespace sctr::declared {

namespace {

constexpr std::string_view by_args = "SctrArgs= with flags of 'sctr run'";

/// In the order in which their flags are given.
constexpr std::array keys = {
    Key{"ContainerName", Kind::elsewhere, ""},
    Key{"Rootfs", Kind::path, "--rootfs="},
    Key{"Image", Kind::elsewhere, ""},
    Key{"Pull", Kind::text, "--pull="},
    Key{"Retry", Kind::text, "--retry="},
    Key{"RetryDelay", Kind::text, "--retry-delay="},
    Key{"Exec", Kind::elsewhere, ""},
    Key{"Entrypoint", Kind::text, "--entrypoint="},
    Key{"HostName", Kind::text, "--hostname="},
    Key{"Notify", Kind::notify, "--sdnotify="},
    Key{"LogDriver", Kind::text, "--log-driver="},
    Key{"RunInit", Kind::flag, "--init"},
    Key{"StopSignal", Kind::text, "--stop-signal="},
    Key{"StopTimeout", Kind::text, "--stop-timeout="},
    Key{"Label", Kind::words, "--label="},
    Key{"Annotation", Kind::words, "--annotation="},
    Key{"GroupAdd", Kind::list, "--group-add="},
    Key{"Environment", Kind::variables, "--env="},
    Key{"EnvironmentFile", Kind::paths, "--env-file="},
    Key{"EnvironmentHost", Kind::flag, "--env-host"},
    Key{"HttpProxy", Kind::flag, "--http-proxy"},
    Key{"Timezone", Kind::text, "--tz="},
    Key{"User", Kind::elsewhere, ""},
    Key{"Group", Kind::elsewhere, ""},
    Key{"WorkingDir", Kind::text, "--workdir="},
    Key{"AddCapability", Kind::words, "--cap-add="},
    Key{"DropCapability", Kind::words, "--cap-drop="},
    Key{"NoNewPrivileges", Kind::flag, "--security-opt=no-new-privileges"},
    Key{"SeccompProfile", Kind::path, "--security-opt=seccomp="},
    Key{"SecurityLabelDisable", Kind::flag, "--security-opt=label=disable"},
    Key{"SecurityLabelLevel", Kind::text, "--security-opt=label=level:"},
    Key{"SecurityLabelType", Kind::text, "--security-opt=label=type:"},
    Key{"AppArmor", Kind::text, "--security-opt=apparmor="},
    Key{"Mask", Kind::list, "--security-opt=mask="},
    Key{"Unmask", Kind::list, "--security-opt=unmask="},
    Key{"Sysctl", Kind::words, "--sysctl="},
    Key{"Ulimit", Kind::list, "--ulimit="},
    Key{"PidsLimit", Kind::text, "--pids-limit="},
    Key{"Memory", Kind::text, "--memory="},
    Key{"ShmSize", Kind::text, "--shm-size="},
    Key{"ReadOnly", Kind::flag, "--read-only"},
    Key{"ReadOnlyTmpfs", Kind::flag, "--read-only-tmpfs"},
    Key{"Volume", Kind::volume, "--volume="},
    Key{"Mount", Kind::list, "--mount="},
    Key{"Tmpfs", Kind::list, "--tmpfs="},
    Key{"Secret", Kind::list, "--secret="},
    Key{"AddDevice", Kind::device, "--device="},
    Key{"Network", Kind::network, "--network="},
    Key{"IP", Kind::text, "--ip="},
    Key{"IP6", Kind::text, "--ip6="},
    Key{"NetworkAlias", Kind::list, "--network-alias="},
    Key{"PublishPort", Kind::list, "--publish="},
    Key{"ExposeHostPort", Kind::list, "--expose="},
    Key{"DNS", Kind::list, "--dns="},
    Key{"DNSSearch", Kind::list, "--dns-search="},
    Key{"DNSOption", Kind::list, "--dns-option="},
    Key{"AddHost", Kind::list, "--add-host="},
    Key{"UserNS", Kind::text, "--userns="},
    Key{"UIDMap", Kind::list, "--uidmap="},
    Key{"GIDMap", Kind::list, "--gidmap="},
    Key{"HealthCmd", Kind::text, "--health-cmd="},
    Key{"HealthInterval", Kind::text, "--health-interval="},
    Key{"HealthTimeout", Kind::text, "--health-timeout="},
    Key{"HealthRetries", Kind::text, "--health-retries="},
    Key{"HealthStartPeriod", Kind::text, "--health-start-period="},
    Key{"HealthOnFailure", Kind::text, "--health-on-failure="},
    Key{"HealthStartupCmd", Kind::text, "--health-startup-cmd="},
    Key{"HealthStartupInterval", Kind::text, "--health-startup-interval="},
    Key{"HealthStartupRetries", Kind::text, "--health-startup-retries="},
    Key{"HealthStartupSuccess", Kind::text, "--health-startup-success="},
    Key{"HealthStartupTimeout", Kind::text, "--health-startup-timeout="},
    Key{"ReloadCmd", Kind::elsewhere, ""},
    Key{"ReloadSignal", Kind::elsewhere, ""},
    Key{"SctrArgs", Kind::arguments, ""},

    Key{"AutoUpdate", Kind::missing, "a timer that runs 'sctr pull' and restarts the service"},
    Key{"CgroupsMode", Kind::missing, "nothing: a container has a scope of its own"},
    Key{"ContainersConfModule", Kind::missing, "drop-ins of this file"},
    Key{"GlobalArgs", Kind::missing, by_args},
    Key{"HealthLogDestination", Kind::missing, "'sctr inspect', which has the last results"},
    Key{"HealthMaxLogCount", Kind::missing, "'sctr inspect', which has the last results"},
    Key{"HealthMaxLogSize", Kind::missing, "'sctr inspect', which has the last results"},
    Key{"LogOpt", Kind::missing, "the journal, where all output goes"},
    Key{"Pod", Kind::missing, "Network=container:NAME"},
    Key{"PodmanArgs", Kind::missing, by_args},
    Key{"SecurityLabelFileType", Kind::missing, "SecurityLabelType="},
    Key{"SecurityLabelNested", Kind::missing, "SecurityLabelDisable="},
    Key{"ServiceName", Kind::missing, "the file's own name"},
    Key{"StartWithPod", Kind::missing, "After= and Requires= in [Unit]"},
    Key{"StopCmd", Kind::missing, "StopSignal="},
    Key{"SubGIDMap", Kind::missing, "GIDMap="},
    Key{"SubUIDMap", Kind::missing, "UIDMap="},
};

} // namespace

bool is_host_path(const std::string& source) {
    return source.starts_with('/') || source.starts_with('.') || source.starts_with('%');
}

std::string path_of(const std::string& value, const Place& place) {
    if (value.starts_with('/') || value.starts_with('%')) {
        return value;
    }
    const std::string directory = place.file.substr(0, place.file.rfind('/'));
    return directory + "/" + (value.starts_with("./") ? value.substr(2) : value);
}

const Key* find_key(std::span<const Key> known, std::string_view name) {
    const auto found = std::ranges::find(known, name, &Key::name);
    return found == known.end() ? nullptr : &*found;
}

std::string_view nearest_key(std::span<const Key> known, std::string_view name) {
    std::string_view best;
    std::size_t best_distance = name.size() / 3 + 2; // a third of the letters wrong is a guess
    constexpr std::size_t longest = 64;
    for (const Key& key : known) {
        if (name.size() > longest) {
            break;
        }
        if (const std::size_t distance = edit_distance(name, key.name); distance < best_distance) {
            best_distance = distance;
            best = key.name;
        }
    }
    return best;
}

std::span<const Key> container_keys() {
    return keys;
}

const Entry* last_of(const std::vector<Entry>& entries, std::string_view key) {
    const Entry* found = nullptr;
    for (const Entry& entry : entries) {
        if (entry.key == key) {
            found = entry.value.empty() ? nullptr : &entry;
        }
    }
    return found;
}

std::vector<const Entry*> all_of(const std::vector<Entry>& entries, std::string_view key) {
    std::vector<const Entry*> found;
    for (const Entry& entry : entries) {
        if (entry.key != key) {
            continue;
        }
        if (entry.value.empty()) {
            found.clear();
        } else {
            found.push_back(&entry);
        }
    }
    return found;
}

std::string resource_file(const Entry& use) {
    if (use.key == "Image") {
        return use.value.ends_with(".image") || use.value.ends_with(".build") ? use.value : "";
    }
    const auto [source, rest] = split_once(use.value, ':');
    if (use.key == "Network") {
        return source.ends_with(".network") ? source : "";
    }
    return rest && source.ends_with(".volume") && !is_host_path(source) ? source : "";
}

std::vector<const Entry*> resource_uses(const std::vector<Entry>& container) {
    std::vector<const Entry*> uses = all_of(container, "Volume");
    const auto networks = all_of(container, "Network");
    uses.insert(uses.end(), networks.begin(), networks.end());
    if (const Entry* image = last_of(container, "Image")) {
        uses.push_back(image);
    }
    std::erase_if(uses, [](const Entry* use) { return resource_file(*use).empty(); });
    return uses;
}

std::vector<std::string> host_paths(const std::vector<Entry>& container) {
    std::vector<std::string> paths;
    if (const Entry* rootfs = last_of(container, "Rootfs")) {
        paths.push_back(path_of(rootfs->value, rootfs->place));
    }
    for (const Entry* volume : all_of(container, "Volume")) {
        const auto [source, rest] = split_once(volume->value, ':');
        if (rest && is_host_path(source)) {
            paths.push_back(path_of(source, volume->place));
        }
    }
    return paths;
}

} // namespace sctr::declared
