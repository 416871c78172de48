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

constexpr std::array<std::string_view, 4> sections = {"Unit", "Service", "Install", "Quadlet"};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

bool is_template(const std::string& unit) {
    return unit.contains("@.");
}

/// Builds one service; the methods stand in the order of its text.
class Builder {
  public:
    Builder(const std::vector<Source>& sources, std::string sctr, const Names& names)
        : sctr_(std::move(sctr)), names_(names) {
        service_.file = sources.front().path;
        kind_ = resource_kind(service_.file);
        service_.unit = unit_of(service_.file);
        for (const Source& source : sources) {
            auto entries = parse_unit_file(source.text, source.path, service_.problems);
            entries_.insert(entries_.end(), entries.begin(), entries.end());
        }
        own_section_ = kind_ != nullptr ? kind_->section : "Container";
        container_ = section(own_section_);
        settings_ = section("Service");
    }

    Service build() {
        check_sections();
        if (kind_ != nullptr) {
            service_.command =
                resource_command(*kind_, container_, service_.file, service_.problems);
        } else {
            resolve_resources();
            read_container();
        }
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
            if (!std::ranges::contains(sections, entry.section) && entry.section != own_section_ &&
                !entry.section.starts_with("X-")) {
                problem(entry.place,
                        "unknown section [" + entry.section + "] (known: Unit, " + own_section_ +
                            ", Service, Install, Quadlet)");
            }
            if (entry.section == "Quadlet" && entry.key != "DefaultDependencies") {
                problem(entry.place,
                        "unknown key '" + entry.key +
                            "' in [Quadlet] (known: DefaultDependencies)");
            }
        }
    }

    /// Puts the names of volumes, images and networks in the place of their files'; their services
    /// come before this one.
    void resolve_resources() {
        for (const Entry* use : resource_uses(container_)) {
            const std::string file = resource_file(*use);
            const auto found = names_.find(file);
            if (found == names_.end() || found->second.empty()) {
                problem(use->place,
                        use->key + "=: there is no file " + file + " with a name in it");
                continue;
            }
            needed_.push_back(unit_of(file));
            auto& entry = container_[static_cast<std::size_t>(use - container_.data())];
            entry.value.replace(0, file.size(), found->second);
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
        line("Description",
             kind_ != nullptr
                 ? resource_description(*kind_, resource_name(*kind_, container_, service_.file))
                 : "Container " + service_.container);
        const auto quadlet = section("Quadlet");
        const Entry* dependencies = last_of(quadlet, "DefaultDependencies");
        if (dependencies == nullptr || parse_boolean(dependencies->value) != false) {
            add_default_dependencies();
        }
        for (const std::string& unit : needed_) {
            line("Requires", unit);
            line("After", unit);
        }
        for (const std::string& path : kind_ != nullptr
                                           ? resource_paths(*kind_, container_, service_.file)
                                           : host_paths(container_)) {
            line("RequiresMountsFor", quote_word(path));
        }
        for (const Entry& entry : section("Unit")) {
            line(entry.key, unit_value(entry));
            if (entry.key == "Description") {
                service_.description = entry.value;
            }
        }
    }

    void add_default_dependencies() {
        if (kind_ == nullptr) {
            line("After", "network.target");
        } else if (is_fetched(*kind_)) {
            line("Wants", "network-online.target");
            line("After", "network-online.target");
        }
    }

    /// Names of such files stand for those of their services.
    static std::string unit_value(const Entry& entry) {
        if (!std::ranges::contains(unit_lists, entry.key)) {
            return entry.value;
        }
        std::vector<std::string> units;
        for (const std::string& word : split(entry.value, ' ')) {
            units.push_back(is_declared_file(word) ? unit_of(word) : word);
        }
        return join(units, " ");
    }

    void add_service_section() {
        if (kind_ != nullptr) {
            add_resource_section();
            return;
        }
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

    void add_resource_section() {
        service_.text += "[Service]\nType=oneshot\nRemainAfterExit=yes\n";
        for (const Entry& entry : settings_) {
            if (entry.key == "Type" || entry.key == "ExecStart" || entry.key == "RemainAfterExit") {
                problem(entry.place,
                        entry.key + "= in [Service]: it is made of [" + own_section_ + "]");
            } else {
                line(entry.key, entry.value);
            }
        }
        std::vector<std::string> words = {sctr_};
        for (const std::string& word : service_.command) {
            words.push_back(quote_word(word));
        }
        line("ExecStart", join(words, " "));
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
            const std::string unit = is_declared_file(name) ? unit_of(name) : name;
            service_.links.push_back(
                {.path = unit + directory + wanted, .target = "../" + service_.unit});
        }
    }

    std::string sctr_;
    const Names& names_;
    const ResourceKind* kind_ = nullptr; ///< null: a container
    std::string own_section_;
    std::vector<std::string> needed_; ///< units of its volumes, image and networks
    Service service_;
    std::vector<Entry> entries_;
    std::vector<Entry> container_;
    std::vector<Entry> settings_; ///< of [Service]
};

} // namespace

Service
make_service(const std::vector<Source>& sources, const std::string& sctr, const Names& names) {
    return Builder(sources, sctr, names).build();
}

Names names_of(const std::vector<std::vector<Source>>& all) {
    Names names;
    std::vector<Problem> ignored; // make_service tells them
    for (const auto& sources : all) {
        const std::string& path = sources.front().path;
        const ResourceKind* kind = resource_kind(path);
        if (kind == nullptr) {
            continue;
        }
        std::vector<Entry> section;
        for (const Source& source : sources) {
            for (Entry& entry : parse_unit_file(source.text, source.path, ignored)) {
                if (entry.section == kind->section) {
                    section.push_back(std::move(entry));
                }
            }
        }
        names[base_name(path)] = resource_name(*kind, section, path);
    }
    return names;
}

} // namespace sctr::declared
