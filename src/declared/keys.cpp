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
    Key{"Exec", Kind::elsewhere, ""},
    Key{"Entrypoint", Kind::text, "--entrypoint="},
    Key{"HostName", Kind::text, "--hostname="},
    Key{"Notify", Kind::notify, "--sdnotify="},
    Key{"LogDriver", Kind::text, "--log="},
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
    Key{"HealthStartupCmd", Kind::missing, "HealthCmd= with HealthStartPeriod="},
    Key{"HealthStartupInterval", Kind::missing, "HealthCmd= with HealthStartPeriod="},
    Key{"HealthStartupRetries", Kind::missing, "HealthCmd= with HealthStartPeriod="},
    Key{"HealthStartupSuccess", Kind::missing, "HealthCmd= with HealthStartPeriod="},
    Key{"HealthStartupTimeout", Kind::missing, "HealthCmd= with HealthStartPeriod="},
    Key{"LogOpt", Kind::missing, "the journal, where all output goes"},
    Key{"Pod", Kind::missing, "Network=container:NAME"},
    Key{"PodmanArgs", Kind::missing, by_args},
    Key{"ReadOnlyTmpfs", Kind::missing, "ReadOnly= with Tmpfs="},
    Key{"Retry", Kind::missing, "Restart=on-failure in [Service]"},
    Key{"RetryDelay", Kind::missing, "RestartSec= in [Service]"},
    Key{"SecurityLabelFileType", Kind::missing, "SecurityLabelType="},
    Key{"SecurityLabelNested", Kind::missing, "SecurityLabelDisable="},
    Key{"ServiceName", Kind::missing, "the file's own name"},
    Key{"StartWithPod", Kind::missing, "After= and Requires= in [Unit]"},
    Key{"StopCmd", Kind::missing, "StopSignal="},
    Key{"SubGIDMap", Kind::missing, "GIDMap="},
    Key{"SubUIDMap", Kind::missing, "UIDMap="},
};

/// Else the source of a volume is a volume's name.
bool is_host_path(const std::string& source) {
    return source.starts_with('/') || source.starts_with('.') || source.starts_with('%');
}

/// The flags of one key.
class Flags {
  public:
    Flags(std::vector<std::string>& words, std::vector<Problem>& problems)
        : words_(words), problems_(problems) {}

    void add(const Key& key, const std::vector<Entry>& container) {
        switch (key.kind) {
        case Kind::text:
        case Kind::path:
        case Kind::flag:
        case Kind::notify:
            if (const Entry* entry = last_of(container, key.name)) {
                add_one(key, *entry);
            }
            break;
        case Kind::list:
        case Kind::paths:
        case Kind::words:
        case Kind::variables:
        case Kind::volume:
        case Kind::device:
        case Kind::network:
        case Kind::arguments:
            for (const Entry* entry : all_of(container, key.name)) {
                add_each(key, *entry);
            }
            break;
        case Kind::missing:
            for (const Entry* entry : all_of(container, key.name)) {
                problem(*entry, "not supported yet", "use " + std::string(key.flag));
            }
            break;
        case Kind::elsewhere:
            break;
        }
    }

  private:
    void push(const Key& key, const std::string& value) {
        words_.push_back(std::string(key.flag) + value);
    }

    void problem(const Entry& entry, const std::string& why, const std::string& mend) {
        problems_.push_back(
            {.place = entry.place, .text = entry.key + "=: " + why + " (" + mend + ")"});
    }

    void add_one(const Key& key, const Entry& entry) {
        if (key.kind == Kind::path) {
            push(key,
                 entry.value == "unconfined" ? entry.value : path_of(entry.value, entry.place));
        } else if (key.kind == Kind::text) {
            push(key,
                 entry.key == "LogDriver" && entry.value == "journald" ? "journal" : entry.value);
        } else {
            add_switch(key, entry);
        }
    }

    void add_switch(const Key& key, const Entry& entry) {
        const bool is_notify = key.kind == Kind::notify;
        const auto value = parse_boolean(entry.value);
        if (is_notify && entry.value == "healthy") {
            push(key, "healthy");
        } else if (!value) {
            problem(entry,
                    "bad value '" + entry.value + "'",
                    is_notify ? "give yes, no or healthy" : "give yes or no");
        } else if (*value) {
            push(key, is_notify ? "container" : "");
        }
    }

    void add_each(const Key& key, const Entry& entry) {
        switch (key.kind) {
        case Kind::volume:
            add_volume(key, entry);
            break;
        case Kind::device:
            add_device(key, entry);
            break;
        case Kind::network:
            add_network(key, entry);
            break;
        case Kind::words:
        case Kind::variables:
        case Kind::paths:
        case Kind::arguments:
            add_words(key, entry);
            break;
        case Kind::list:
        case Kind::text:
        case Kind::path:
        case Kind::flag:
        case Kind::notify:
        case Kind::missing:
        case Kind::elsewhere:
            push(key, entry.value);
            break;
        }
    }

    void add_words(const Key& key, const Entry& entry) {
        const auto words = split_words(entry.value);
        if (!words) {
            problem(entry, "a quote is not closed", "close it, or write \\\" for a quote");
            return;
        }
        for (const std::string& word : *words) {
            if (key.kind == Kind::variables && (!word.contains('=') || word.starts_with('='))) {
                problem(entry, "'" + word + "' has no value", "give NAME=VALUE");
            } else {
                push(key, key.kind == Kind::paths ? path_of(word, entry.place) : word);
            }
        }
    }

    void add_volume(const Key& key, const Entry& entry) {
        const auto [source, rest] = split_once(entry.value, ':');
        if (rest && is_host_path(source)) {
            push(key, path_of(source, entry.place) + ":" + *rest);
        } else {
            push(key, entry.value);
        }
    }

    void add_device(const Key& key, const Entry& entry) {
        if (entry.value.starts_with('-')) {
            problem(entry,
                    "a device that may be missing is not supported yet",
                    "use a drop-in on hosts that have it");
            return;
        }
        push(key, entry.value);
    }

    void add_network(const Key& key, const Entry& entry) {
        const std::string& value = entry.value;
        // Of an option after the name, and of a specifier, nothing is known here.
        const std::string name = value.substr(0, value.find(':'));
        for (const std::string_view suffix : {".container", ".pod"}) {
            if (name.ends_with(suffix)) {
                problem(entry, "'" + value + "' is not supported yet", "use container:NAME");
                return;
            }
        }
        push(key, value);
    }

    std::vector<std::string>& words_;
    std::vector<Problem>& problems_;
};

/// --user takes both at once.
void add_user(const std::vector<Entry>& container,
              std::vector<std::string>& words,
              std::vector<Problem>& problems) {
    const Entry* user = last_of(container, "User");
    const Entry* group = last_of(container, "Group");
    if (user == nullptr && group != nullptr) {
        problems.push_back(
            {.place = group->place, .text = "Group=: there is no User= (give it too)"});
    } else if (user != nullptr) {
        words.push_back("--user=" + user->value + (group != nullptr ? ":" + group->value : ""));
    }
}

const Key* find_in(std::span<const Key> known, std::string_view name) {
    const auto found = std::ranges::find(known, name, &Key::name);
    return found == known.end() ? nullptr : &*found;
}

std::string_view nearest_in(std::span<const Key> known, std::string_view name) {
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

void find_unknown(const std::vector<Entry>& section,
                  std::span<const Key> known,
                  std::string_view name,
                  std::vector<Problem>& problems) {
    for (const Entry& entry : section) {
        if (find_in(known, entry.key) != nullptr || entry.key.starts_with("X-")) {
            continue;
        }
        const std::string_view close = nearest_in(known, entry.key);
        std::string text = "unknown key '" + entry.key + "' in [" + std::string(name) + "]";
        if (!close.empty()) {
            text += ": did you mean '" + std::string(close) + "'?";
        }
        problems.push_back({.place = entry.place, .text = std::move(text)});
    }
}

} // namespace

std::string path_of(const std::string& value, const Place& place) {
    if (value.starts_with('/') || value.starts_with('%')) {
        return value;
    }
    const std::string directory = place.file.substr(0, place.file.rfind('/'));
    return directory + "/" + (value.starts_with("./") ? value.substr(2) : value);
}

const Key* find_key(std::string_view name) {
    return find_in(keys, name);
}

std::string_view nearest_key(std::string_view name) {
    return nearest_in(keys, name);
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

std::vector<std::string> flags_of(const std::vector<Entry>& container,
                                  std::vector<Problem>& problems) {
    std::vector<std::string> words;
    find_unknown(container, keys, "Container", problems);
    Flags flags(words, problems);
    for (const Key& key : keys) {
        flags.add(key, container);
        if (key.name == "User") {
            add_user(container, words, problems);
        }
    }
    return words;
}

std::vector<std::string> flags_of(const std::vector<Entry>& section,
                                  std::vector<Problem>& problems,
                                  std::span<const Key> known,
                                  std::string_view name) {
    std::vector<std::string> words;
    find_unknown(section, known, name, problems);
    Flags flags(words, problems);
    for (const Key& key : known) {
        flags.add(key, section);
    }
    return words;
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

std::vector<std::string> command_of(const std::vector<Entry>& container,
                                    std::vector<Problem>& problems) {
    const Entry* exec = last_of(container, "Exec");
    if (exec == nullptr) {
        return {};
    }
    auto words = split_words(exec->value);
    if (!words) {
        problems.push_back({.place = exec->place, .text = "Exec=: a quote is not closed"});
        return {};
    }
    return std::move(*words);
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
