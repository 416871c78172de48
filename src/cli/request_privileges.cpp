// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"
#include "oci/seccomp_profile.hpp"
#include "plan/capabilities.hpp"
#include "plan/seccomp.hpp"

namespace sctr::cli {
namespace {

constexpr const char* security_flag = "--security-opt";
constexpr const char* security_form =
    "no-new-privileges[=BOOL], seccomp=FILE|unconfined, apparmor=PROFILE, label=disable, "
    "label=user:|role:|type:|level:VALUE, mask=PATH[:PATH], unmask=ALL|PATH[:PATH]";

/// What tells of the host's hardware and kernel: what podman or docker masks.
constexpr std::array<const char*, 13> default_masked = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
};

constexpr std::array<const char*, 5> default_readonly = {
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
};

/// --security-opt, all of them together.
struct SecurityOptions {
    bool no_new_privileges = false;
    std::string seccomp; ///< empty: the default profile; "unconfined"; or a file
    std::string apparmor;
    std::vector<std::string> labels; ///< "type:container_t"
    bool label_disabled = false;
    std::vector<std::string> mask;
    std::vector<std::string> unmask; ///< shell patterns
};

std::vector<std::string> path_list(const std::string& text, const std::string& value) {
    auto paths = split(value, ':');
    for (const std::string& path : paths) {
        if (!path.starts_with('/')) {
            throw bad_value(security_flag, text, "'" + path + "' is not absolute", security_form);
        }
    }
    return paths;
}

void add_label(SecurityOptions& options, const std::string& text, const std::string& value) {
    if (value == "disable") {
        options.label_disabled = true;
        return;
    }
    const auto kind = split_once(value, ':').first;
    constexpr std::array<std::string_view, 4> kinds = {"user", "role", "type", "level"};
    if (kind.size() == value.size() || !std::ranges::contains(kinds, kind)) {
        throw bad_value(security_flag, text, "unknown label", security_form);
    }
    options.labels.push_back(value);
}

void add_security_option(SecurityOptions& options, const std::string& text) {
    // docker takes both "=" and, from its first years, ":".
    const auto separator = text.find_first_of("=:");
    const std::string name = text.substr(0, separator);
    const std::string value =
        separator == std::string::npos ? std::string() : text.substr(separator + 1);
    if (name == "no-new-privileges") {
        options.no_new_privileges = value.empty() || parse_bool(security_flag, value);
        return;
    }
    if (value.empty()) {
        throw bad_value(security_flag, text, "", security_form);
    }
    if (name == "seccomp") {
        options.seccomp = value;
    } else if (name == "apparmor") {
        options.apparmor = value;
    } else if (name == "label") {
        add_label(options, text, value);
    } else if (name == "mask") {
        std::ranges::copy(path_list(text, value), std::back_inserter(options.mask));
    } else if (name == "unmask") {
        if (value == "ALL" || value == "all") {
            options.unmask.emplace_back("/*");
        } else {
            std::ranges::copy(path_list(text, value), std::back_inserter(options.unmask));
        }
    } else {
        throw bad_value(security_flag, text, "unknown option '" + name + "'", security_form);
    }
}

SecurityOptions security_options(const PrivilegeFlags& flags) {
    SecurityOptions options;
    for (const std::string& text : flags.security_opts) {
        add_security_option(options, text);
    }
    return options;
}

bool is_all(const std::string& word) {
    return word == "ALL" || word == "all";
}

bool is_available(const std::string& name, const RootfsFacts& facts) {
    const auto number = plan::capability_number(name);
    return number && (facts.capabilities >> static_cast<unsigned>(*number) & 1U) != 0;
}

/// Full names of what a flag lists; "ALL" stands for all that the caller can give.
std::vector<std::string> capability_names(const char* flag,
                                          const std::vector<std::string>& words,
                                          const RootfsFacts& facts) {
    std::vector<std::string> names;
    for (const std::string& list : words) {
        for (const std::string& word : split(list, ',')) {
            if (is_all(word)) {
                std::ranges::copy(available_capabilities(facts), std::back_inserter(names));
                continue;
            }
            const auto number = plan::capability_number(word);
            if (!number) {
                throw bad_value(
                    flag, word, "no such capability", "a name of capabilities(7), or ALL");
            }
            names.push_back(plan::capability_name(*number));
        }
    }
    return names;
}

bool names_all(const std::vector<std::string>& words) {
    return std::ranges::any_of(words, is_all);
}

/// docker's arithmetic: ALL on one side is the ground from which the other side is taken or to
/// which it is added.
std::vector<std::string> bounding_set(const PrivilegeFlags& flags, const RootfsFacts& facts) {
    const auto added = capability_names("--cap-add", flags.cap_add, facts);
    const auto dropped = capability_names("--cap-drop", flags.cap_drop, facts);
    for (const std::string& name : added) {
        if (!is_available(name, facts)) {
            throw bad_value("--cap-add",
                            name,
                            "this kernel or the caller's own bounding set does not have it",
                            "one of CapBnd in /proc/self/status");
        }
    }
    const bool drop_all = names_all(flags.cap_drop);
    const bool add_all = names_all(flags.cap_add);
    if (drop_all && add_all) {
        throw Error("--cap-add ALL and --cap-drop ALL contradict each other").mend("drop one");
    }
    if (!drop_all && !add_all) {
        for (const std::string& name : added) {
            if (std::ranges::contains(dropped, name)) {
                throw Error(name + " is both added and dropped").mend("drop one of the flags");
            }
        }
    }
    std::vector<std::string> names;
    const auto keep = [&](const std::string& name) {
        const bool taken = !drop_all && std::ranges::contains(dropped, name);
        if (!taken && !std::ranges::contains(names, name)) {
            names.push_back(name);
        }
    };
    if (!drop_all) {
        std::ranges::for_each(plan::default_capabilities(), keep);
    }
    std::ranges::for_each(added, keep);
    return names;
}

/// Adds the capabilities; true when the set is the default one.
bool add_capabilities(oci::Process& process, const RunFlags& flags, const RootfsFacts& facts) {
    if (flags.process.privileged) {
        process.capabilities = capability_sets(available_capabilities(facts), {}, process.user.uid);
        return false;
    }
    if (flags.privileges.cap_add.empty() && flags.privileges.cap_drop.empty()) {
        process.capabilities = capability_sets(plan::default_capabilities(), {}, process.user.uid);
        return true;
    }
    const auto bounding = bounding_set(flags.privileges, facts);
    auto by_name = capability_names("--cap-add", flags.privileges.cap_add, facts);
    std::erase_if(by_name,
                  [&](const auto& name) { return !std::ranges::contains(bounding, name); });
    process.capabilities = capability_sets(bounding, by_name, process.user.uid);
    return false;
}

oci::Seccomp parse_profile(const std::string& file,
                           const RootfsFacts& facts,
                           const std::vector<std::string>& capabilities) {
    const oci::ProfileTarget target{
        .capabilities = capabilities,
        .architecture = plan::native_architecture(),
        .kernel = oci::parse_kernel_version(facts.kernel_release).value_or(oci::KernelVersion{})};
    try {
        return oci::resolve_seccomp_profile(facts.seccomp_profile, target);
    } catch (const Error& error) {
        throw Error("cannot read the seccomp profile").at(file).because(error.what());
    }
}

void add_seccomp(plan::Request& request,
                 const RunFlags& flags,
                 const RootfsFacts& facts,
                 const std::string& choice,
                 bool default_capabilities) {
    if (choice == "unconfined" || (choice.empty() && flags.process.privileged)) {
        return;
    }
    if (!choice.empty()) {
        request.spec.linux.seccomp =
            parse_profile(choice, facts, request.spec.process->capabilities->bounding);
    } else if (default_capabilities) {
        request.default_seccomp = true;
    } else {
        request.spec.linux.seccomp =
            plan::default_seccomp(request.spec.process->capabilities->bounding);
    }
}

/// SELinux contexts: podman's defaults with the parts that label= names replaced.
void add_labels(oci::Spec& spec, const SecurityOptions& options, const RootfsFacts& facts) {
    if (options.labels.empty() || options.label_disabled || !facts.has_selinux) {
        return;
    }
    std::array<std::string, 4> parts = {"system_u", "system_r", "container_t", "s0"};
    constexpr std::array<std::string_view, 4> kinds = {"user", "role", "type", "level"};
    for (const std::string& label : options.labels) {
        const auto [kind, value] = split_once(label, ':');
        const auto index = static_cast<std::size_t>(std::ranges::find(kinds, kind) - kinds.begin());
        parts.at(index) = value.value_or("");
    }
    spec.process->selinux_label = parts[0] + ":" + parts[1] + ":" + parts[2] + ":" + parts[3];
    spec.linux.mount_label = parts[0] + ":object_r:container_file_t:" + parts[3];
}

bool is_unmasked(const std::string& path, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
    });
}

void add_masks(oci::Linux& config,
               const SecurityOptions& options,
               bool privileged,
               const RootfsFacts& facts) {
    if (!privileged) {
        config.masked_paths.assign(default_masked.begin(), default_masked.end());
        std::ranges::copy(facts.thermal_paths, std::back_inserter(config.masked_paths));
        config.readonly_paths.assign(default_readonly.begin(), default_readonly.end());
    }
    const auto unmasked = [&](const std::string& path) {
        return is_unmasked(path, options.unmask);
    };
    std::erase_if(config.masked_paths, unmasked);
    std::erase_if(config.readonly_paths, unmasked);
    std::ranges::copy(options.mask, std::back_inserter(config.masked_paths));
}

void add_sysctls(oci::Linux& config, const std::vector<std::string>& flags) {
    for (const std::string& text : flags) {
        const auto [name, value] = split_once(text, '=');
        if (name.empty() || !value) {
            throw bad_value("--sysctl", text, "", "NAME=VALUE, as net.ipv4.ip_forward=1");
        }
        config.sysctl[name] = *value;
    }
}

} // namespace

std::vector<std::string> available_capabilities(const RootfsFacts& facts) {
    constexpr std::uint64_t whatever_is_known = 63;
    auto names = plan::all_capabilities(whatever_is_known);
    std::erase_if(names, [&](const std::string& name) { return !is_available(name, facts); });
    return names;
}

oci::Capabilities capability_sets(const std::vector<std::string>& bounding,
                                  const std::vector<std::string>& added_by_name,
                                  uid_t uid) {
    oci::Capabilities sets{.bounding = bounding};
    if (uid == 0) {
        sets.effective = bounding;
        sets.permitted = bounding;
        return sets;
    }
    // Others keep what was added for them by name through execve only as ambient capabilities, and
    // those need the inheritable set. Else it stays empty (CVE-2022-29162).
    sets.effective = added_by_name;
    sets.permitted = added_by_name;
    sets.inheritable = added_by_name;
    sets.ambient = added_by_name;
    return sets;
}

void add_privileges(plan::Request& request, const RunFlags& flags, const RootfsFacts& facts) {
    oci::Spec& spec = request.spec;
    const SecurityOptions options = security_options(flags.privileges);
    const bool default_set = add_capabilities(*spec.process, flags, facts);
    add_seccomp(request, flags, facts, options.seccomp, default_set);
    spec.process->no_new_privileges = options.no_new_privileges;
    spec.process->apparmor_profile = options.apparmor;
    if (options.apparmor.empty() && facts.has_own_apparmor_profile) {
        spec.process->apparmor_profile = default_apparmor_profile;
    }
    add_labels(spec, options, facts);
    add_masks(spec.linux, options, flags.process.privileged, facts);
    add_sysctls(spec.linux, flags.privileges.sysctls);
}

std::string seccomp_file(const PrivilegeFlags& flags) {
    const std::string choice = security_options(flags).seccomp;
    return choice == "unconfined" ? "" : choice;
}

} // namespace sctr::cli
