// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/service.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/strings.hpp"
#include "declared/keys.hpp"

namespace sctr::declared {

namespace {

/// Keys of [Unit] whose values are units.
constexpr std::array<std::string_view, 16> unit_lists = {"After",
                                                         "Before",
                                                         "BindsTo",
                                                         "Conflicts",
                                                         "OnFailure",
                                                         "OnSuccess",
                                                         "PartOf",
                                                         "PropagatesReloadTo",
                                                         "PropagatesStopTo",
                                                         "ReloadPropagatedFrom",
                                                         "Requires",
                                                         "Requisite",
                                                         "StopPropagatedFrom",
                                                         "Upholds",
                                                         "Wants",
                                                         "WantsMountsFor"};

/// Settings of [Service] that limit the processes of a unit: those of the container are in a scope
/// of its own, and would not be limited. Source: systemd.resource-control(5).
constexpr std::array<std::string_view, 23> limit_prefixes = {
    "AllowedCPUs", "AllowedMemoryNodes",
    "CPUQuota",    "CPUWeight",
    "DeviceAllow", "DevicePolicy",
    "IODevice",    "IORead",
    "IOWeight",    "IOWrite",
    "IPAddress",   "ManagedOOM",
    "MemoryHigh",  "MemoryLow",
    "MemoryMax",   "MemoryMin",
    "MemorySwap",  "MemoryZSwap",
    "OOMPolicy",   "RestrictNetworkInterfaces",
    "SocketBind",  "Startup",
    "TasksMax"};

struct Refused {
    std::string_view key;
    const char* text;
};

/// Settings of [Service] that would break what the unit is for.
constexpr std::array<Refused, 6> refused = {{
    {"ExecStart", "it is made of [Container] (give Exec= there)"},
    {"User", "the container needs the privileges of its manager (give User= in [Container])"},
    {"Group", "the container needs the privileges of its manager (give Group= in [Container])"},
    {"DynamicUser",
     "the container needs the privileges of its manager (give User= in "
     "[Container])"},
    {"PIDFile", "systemd knows the main process (drop it)"},
    {"BusName", "the main process has no name on the bus (drop it)"},
}};

constexpr std::array<std::string_view, 5> sections = {
    "Unit", "Service", "Install", "Container", "Quadlet"};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

bool is_template(const std::string& unit) {
    return unit.contains("@.");
}

/// Builds one service; the methods stand in the order of its text.
class Builder {
  public:
    Builder(const std::vector<Source>& sources, std::string sctr) : sctr_(std::move(sctr)) {
        service_.file = sources.front().path;
        service_.unit = unit_of(service_.file);
        for (const Source& source : sources) {
            auto entries = parse_unit_file(source.text, source.path, service_.problems);
            entries_.insert(entries_.end(), entries.begin(), entries.end());
        }
        container_ = section("Container");
        settings_ = section("Service");
    }

    Service build() {
        check_sections();
        read_container();
        service_.text =
            "# Made by sctr-generator of " + service_.file + ": changes belong there.\n";
        add_unit_section();
        add_service_section();
        add_links();
        return std::move(service_);
    }

  private:
    std::vector<Entry> section(std::string_view name) {
        std::vector<Entry> found;
        std::ranges::copy_if(entries_, std::back_inserter(found), [&](const Entry& entry) {
            return entry.section == name;
        });
        return found;
    }

    void problem(const Place& place, std::string text) {
        service_.problems.push_back({.place = place, .text = std::move(text)});
    }

    void line(std::string_view key, std::string_view value) {
        service_.text += std::string(key) + "=" + std::string(value) + "\n";
    }

    void check_sections() {
        for (const Entry& entry : entries_) {
            if (!std::ranges::contains(sections, entry.section) &&
                !entry.section.starts_with("X-")) {
                problem(entry.place,
                        "unknown section [" + entry.section +
                            "] (known: Unit, Container, Service, Install, Quadlet)");
            }
            if (entry.section == "Quadlet" && entry.key != "DefaultDependencies") {
                problem(entry.place,
                        "unknown key '" + entry.key +
                            "' in [Quadlet] (known: DefaultDependencies)");
            }
        }
    }

    /// Of a template, the instance is a part of it.
    [[nodiscard]] std::string default_name() const {
        const std::string stem = service_.unit.substr(0, service_.unit.rfind('.'));
        const auto at = stem.find('@');
        return at == std::string::npos ? stem : stem.substr(0, at) + "-%i";
    }

    void read_container() {
        if (container_.empty()) {
            problem({service_.file, 0}, "there is no section [Container]");
        }
        const Entry* name = last_of(container_, "ContainerName");
        service_.container = name != nullptr ? name->value : default_name();
        service_.flags = flags_of(container_, service_.problems);
        service_.command = command_of(container_, service_.problems);
        const Entry* rootfs = last_of(container_, "Rootfs");
        const Entry* image = last_of(container_, "Image");
        if (rootfs == nullptr && image == nullptr && !container_.empty()) {
            problem({service_.file, 0},
                    "[Container] says nothing to run (give Image=NAME or Rootfs=DIRECTORY)");
        }
        if (rootfs != nullptr && image != nullptr) {
            problem(image->place, "Image=: Rootfs= is there too (drop one of them)");
        }
        if (image != nullptr &&
            (image->value.ends_with(".image") || image->value.ends_with(".build"))) {
            problem(image->place,
                    "Image=: files of images are not supported yet (give the image's name)");
        }
        service_.rootfs = rootfs != nullptr ? rootfs->value : "";
        service_.image = image != nullptr ? image->value : "";
        for (const Entry& entry : settings_) {
            if (is_limit(entry.key)) {
                service_.flags.push_back("--property=" + entry.key + "=" + entry.value);
            }
        }
        if (const Entry* slice = last_of(settings_, "Slice")) {
            service_.flags.push_back("--slice=" + slice->value);
        }
    }

    static bool is_limit(std::string_view key) {
        return std::ranges::any_of(limit_prefixes,
                                   [&](std::string_view each) { return key.starts_with(each); });
    }

    void add_unit_section() {
        service_.text += "[Unit]\n";
        line("SourcePath", service_.file);
        line("Description", "Container " + service_.container);
        const auto quadlet = section("Quadlet");
        const Entry* dependencies = last_of(quadlet, "DefaultDependencies");
        if (dependencies == nullptr || parse_boolean(dependencies->value) != false) {
            line("After", "network.target");
        }
        for (const std::string& path : host_paths(container_)) {
            line("RequiresMountsFor", quote_word(path));
        }
        for (const Entry& entry : section("Unit")) {
            line(entry.key, unit_value(entry));
            if (entry.key == "Description") {
                service_.description = entry.value;
            }
        }
    }

    /// Names of such files stand for those of their services.
    static std::string unit_value(const Entry& entry) {
        if (!std::ranges::contains(unit_lists, entry.key)) {
            return entry.value;
        }
        std::vector<std::string> units;
        for (const std::string& word : split(entry.value, ' ')) {
            units.push_back(word.ends_with(container_suffix) ? unit_of(word) : word);
        }
        return join(units, " ");
    }

    void add_service_section() {
        service_.text += "[Service]\nType=notify\nNotifyAccess=main\nKillMode=mixed\n"
                         "TimeoutStartSec=5min\nTimeoutStopSec=30\n"
                         "RestartSec=100ms\nRestartSteps=8\nRestartMaxDelaySec=1min\n"
                         "Slice=sctr.slice\n";
        for (const Entry& entry : settings_) {
            if (!is_limit(entry.key)) {
                add_setting(entry);
            }
        }
        line("ExecStart", command_line());
        const std::string name = quote_word(service_.container);
        line("ExecStopPost", sctr_ + " supervise --ended --service %n -- " + name);
        if (const Entry* signal = last_of(container_, "ReloadSignal")) {
            line("ExecReload", sctr_ + " kill --signal " + quote_word(signal->value) + " " + name);
        }
        if (const Entry* command = last_of(container_, "ReloadCmd")) {
            line("ExecReload", sctr_ + " exec " + name + " -- " + command->value);
        }
    }

    void add_setting(const Entry& entry) {
        const auto* const found = std::ranges::find(refused, entry.key, &Refused::key);
        if (found != refused.end()) {
            problem(entry.place, entry.key + "= in [Service]: " + found->text);
        } else if (entry.key == "Type" && entry.value != "notify" && entry.value != "oneshot") {
            problem(entry.place, "Type= in [Service]: give notify (default) or oneshot");
        } else if (entry.key == "KillMode" && entry.value != "mixed") {
            problem(entry.place,
                    "KillMode= in [Service]: the supervisor stops the container (give mixed)");
        } else {
            line(entry.key, entry.value);
        }
    }

    [[nodiscard]] std::string command_line() const {
        std::vector<std::string> words = {sctr_, "run", "--service", "%n"};
        words.push_back(quote_word("--name=" + service_.container));
        for (const std::string& flag : service_.flags) {
            words.push_back(quote_word(flag));
        }
        words.emplace_back("--");
        if (!service_.image.empty()) {
            words.push_back(quote_word(service_.image));
        }
        for (const std::string& word : service_.command) {
            words.push_back(quote_word(word));
        }
        return join(words, " ");
    }

    void add_links() {
        const auto install = section("Install");
        // What is wanted of a template is one of its instances.
        std::string wanted = service_.unit;
        if (is_template(wanted)) {
            const Entry* instance = last_of(install, "DefaultInstance");
            wanted = instance == nullptr
                         ? ""
                         : wanted.substr(0, wanted.find('@') + 1) + instance->value + ".service";
        }
        for (const Entry& entry : install) {
            if (entry.key == "DefaultInstance") {
                continue;
            }
            if (entry.key == "Alias") {
                add_aliases(entry);
            } else if (entry.key == "WantedBy" || entry.key == "RequiredBy" ||
                       entry.key == "UpheldBy") {
                add_wants(entry, wanted);
            } else {
                problem(entry.place,
                        "unknown key '" + entry.key +
                            "' in [Install] (known: WantedBy, RequiredBy, UpheldBy, Alias, "
                            "DefaultInstance)");
            }
        }
    }

    /// A name becomes a part of a path.
    static bool is_unit_name(std::string_view word) {
        return !word.empty() && word.contains('.') && !word.starts_with('.') && !word.contains('/');
    }

    std::vector<std::string> unit_names(const Entry& entry) {
        std::vector<std::string> names;
        for (const std::string& word :
             split_words(entry.value).value_or(std::vector<std::string>())) {
            if (is_unit_name(word)) {
                names.push_back(word);
            } else {
                problem(entry.place, entry.key + "=: '" + word + "' is no unit");
            }
        }
        return names;
    }

    void add_aliases(const Entry& entry) {
        for (const std::string& name : unit_names(entry)) {
            if (name.ends_with(".service")) {
                service_.links.push_back({.path = name, .target = service_.unit});
            } else {
                problem(entry.place, "Alias=: '" + name + "' is no service");
            }
        }
    }

    void add_wants(const Entry& entry, const std::string& wanted) {
        if (wanted.contains('/')) {
            problem(entry.place, "DefaultInstance= is no part of a unit's name");
            return;
        }
        if (wanted.empty()) {
            problem(entry.place,
                    entry.key + "=: a template has no instance (give DefaultInstance=)");
            return;
        }
        const char* const directory = entry.key == "WantedBy"     ? ".wants/"
                                      : entry.key == "RequiredBy" ? ".requires/"
                                                                  : ".upholds/";
        for (const std::string& name : unit_names(entry)) {
            const std::string unit = name.ends_with(container_suffix) ? unit_of(name) : name;
            service_.links.push_back(
                {.path = unit + directory + wanted, .target = "../" + service_.unit});
        }
    }

    std::string sctr_;
    Service service_;
    std::vector<Entry> entries_;
    std::vector<Entry> container_;
    std::vector<Entry> settings_; ///< of [Service]
};

} // namespace

std::string unit_of(const std::string& path) {
    std::string name = base_name(path);
    if (name.ends_with(container_suffix)) {
        name.resize(name.size() - container_suffix.size());
    }
    return name + ".service";
}

Service make_service(const std::vector<Source>& sources, const std::string& sctr) {
    return Builder(sources, sctr).build();
}

} // namespace sctr::declared
