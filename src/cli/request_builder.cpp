// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/request_builder.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "cli/values.hpp"
#include "container/id.hpp"
#include "oci/validate.hpp"
#include "plan/unit_properties.hpp"

namespace sctr::cli {
namespace {

constexpr std::size_t max_hostname = 64; // sethostname(2), HOST_NAME_MAX.

/// What people know the root by.
const std::string& shown_source(const RootfsFacts& facts) {
    if (!facts.image.empty()) {
        return facts.image;
    }
    return facts.overlay.lower.empty() ? facts.rootfs : facts.overlay.lower.front();
}

void add_hostname(oci::Spec& spec, const RunFlags& flags, const std::string& id) {
    const bool own_uts = std::ranges::any_of(spec.linux.namespaces, [](const auto& space) {
        return space.type == oci::NamespaceType::uts && space.path.empty();
    });
    if (!own_uts) {
        if (flags.hostname) {
            throw Error("--hostname needs a uts namespace of its own").mend("drop --uts");
        }
        return;
    }
    const std::string name = flags.hostname.value_or(id.substr(0, max_hostname));
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789-_.";
    if (name.empty() || name.size() > max_hostname ||
        name.find_first_not_of(letters) != std::string::npos) {
        throw bad_value(
            "--hostname", name, "", "1 to 64 letters, digits, dots, hyphens or underscores");
    }
    spec.hostname = name;
}

plan::LogTarget parse_log(const std::string& target, bool tty, bool is_service) {
    // Beside sctr's own words those that podman has for the same.
    if (target == "caller" || target == "passthrough" || target == "passthrough-tty") {
        return plan::LogTarget::caller;
    }
    if (target == "none") { // in the foreground the caller reads it: it is kept nowhere
        return is_service ? plan::LogTarget::none : plan::LogTarget::caller;
    }
    if (target == "k8s-file" || target == "json-file") {
        throw bad_value("--log",
                        target,
                        "sctr writes no files of its own",
                        "journal, which 'sctr logs' reads, or caller, and redirect it");
    }
    if (target != "journal" && target != "journald") {
        throw bad_value("--log", target, "", "caller, journal or none");
    }
    if (tty && !is_service) {
        throw Error("--log journal does not go with --tty").mend("drop one of them, or add -d");
    }
    return plan::LogTarget::journal;
}

void add_lifecycle(plan::Request& request, const RunFlags& flags, const RootfsFacts& facts) {
    std::optional<std::string> stop_signal = flags.stop_signal;
    if (!stop_signal && !facts.image_process.stop_signal.empty()) {
        stop_signal = facts.image_process.stop_signal;
    }
    if (stop_signal) {
        const auto number = parse_signal(*stop_signal);
        if (!number) {
            throw bad_value(
                "--stop-signal", *stop_signal, "no such signal", "a name or a number: INT");
        }
        request.stop_signal = *number;
    }
    if (flags.stop_timeout) {
        constexpr std::int64_t year = 365L * 24 * 3600;
        request.stop_timeout =
            std::chrono::seconds(parse_in_range("--stop-timeout", *flags.stop_timeout, 0, year));
    }
    const bool is_service = flags.detach || flags.service;
    request.log = parse_log(
        flags.log.value_or(is_service ? "journal" : "caller"), flags.process.tty, is_service);
    request.no_pivot = flags.no_pivot;
    request.run_init = flags.init;
}

void add_image(plan::Request& request, const RootfsFacts& facts) {
    request.image = facts.image;
    request.overlay = facts.overlay;
    request.kept = facts.kept;
    request.own_passwd = facts.own_passwd;
    request.own_group = facts.own_group;
    if (!facts.image.empty()) {
        request.spec.annotations["io.sctr.image"] = facts.image;
        request.spec.annotations[image_digest_annotation] = facts.image_digest;
    }
    if (facts.image.empty() && !facts.overlay.lower.empty()) {
        request.spec.annotations[lower_annotation] = facts.overlay.lower.front();
    }
    for (const auto& [name, value] : facts.image_process.labels) {
        request.spec.annotations[label_annotation_prefix + name] = value;
    }
}

/// What the caller says, which has the last word over the image's labels.
void add_labels(oci::Spec& spec, const RunFlags& flags, const RootfsFacts& facts) {
    for (const std::string& text : flags.annotations) {
        const auto [name, value] = split_once(text, '=');
        if (name.empty() || !value) {
            throw bad_value("--annotation", text, "", "NAME=VALUE");
        }
        if (name.starts_with("io.sctr.")) {
            throw bad_value("--annotation", text, "sctr keeps its own notes there", "another name");
        }
        if (name.starts_with("org.systemd.property.")) { // or a limit would not be there
            throw bad_value(
                "--annotation", text, "only sctr-oci reads it", "--property NAME=VALUE instead");
        }
        spec.annotations[name] = *value;
    }
    for (const auto& [name, value] : labels_of_files(facts)) {
        spec.annotations[label_annotation_prefix + name] = value;
    }
    for (const std::string& text : flags.labels) {
        const auto [name, value] = split_once(text, '=');
        if (name.empty()) {
            throw bad_value("--label", text, "", "NAME=VALUE or NAME");
        }
        spec.annotations[label_annotation_prefix + name] = value.value_or("");
    }
}

/// What flags mean together, as a --sysctl of a namespace that is not the container's; the error
/// names the flag instead of the place in the config that people never wrote.
void validate_flags(const oci::Spec& spec) {
    static constexpr std::array<std::pair<std::string_view, const char*>, 7> flags = {{
        {"/linux/sysctl", "--sysctl"},
        {"/linux/seccomp", "--security-opt seccomp"},
        {"/linux/timeOffsets", "--time-offset"},
        {"/linux/uidMappings", "--uidmap"},
        {"/linux/gidMappings", "--gidmap"},
        {"/process/rlimits", "--ulimit"},
        {"/hostname", "--hostname"},
    }};
    try {
        oci::validate(spec);
    } catch (Error& error) {
        const std::string pointer = error.where();
        for (const auto& [prefix, flag] : flags) {
            if (pointer.starts_with(prefix)) {
                error.at(flag + pointer.substr(prefix.size()));
            }
        }
        throw;
    }
}

} // namespace

std::map<std::string, std::string> labels_of_files(const RootfsFacts& facts) {
    std::map<std::string, std::string> labels;
    for (const LabelFile& file : facts.label_files) {
        const auto lines = split(file.text, '\n');
        for (std::size_t i = 0; i < lines.size(); ++i) {
            std::string line = lines[i];
            if (line.ends_with('\r')) {
                line.pop_back();
            }
            line.erase(0, line.find_first_not_of(" \t"));
            if (line.empty() || line.starts_with('#')) {
                continue;
            }
            const auto [name, value] = split_once(line, '=');
            if (name.empty() || name.find_first_of(" \t") != std::string::npos) {
                throw bad_value("--label-file " + file.path + ":" + std::to_string(i + 1),
                                line,
                                "a name is not empty and has no blanks",
                                "NAME=VALUE or NAME");
            }
            labels[name] = value.value_or("");
        }
    }
    return labels;
}

std::map<std::string, std::string>
labels_of(const std::map<std::string, std::string>& annotations) {
    constexpr std::string_view prefix = label_annotation_prefix;
    std::map<std::string, std::string> labels;
    for (const auto& [name, value] : annotations) {
        if (name.starts_with(prefix)) {
            labels[name.substr(prefix.size())] = value;
        }
    }
    return labels;
}

plan::Request build_request(const RunFlags& flags, const RootfsFacts& facts) {
    plan::Request request;
    oci::Spec& spec = request.spec;
    request.id = flags.name.value_or(facts.random_id);
    request.joined = facts.joined;
    container::check_id(request.id);
    spec.root.path = facts.rootfs;
    spec.root.readonly = flags.mounts.read_only;

    add_namespaces(spec, flags.namespaces, facts);
    add_hostname(spec, flags, request.id);
    add_process(spec, flags, facts);
    add_privileges(request, flags, facts);
    add_systemd(request, flags.systemd); // before the --property of limits, which has the last word
    add_limits(request, flags.limits, facts);
    add_devices(spec, flags.mounts, flags.process.privileged, facts);
    add_mounts(request, flags.mounts, flags.process.privileged, facts);
    add_network(request, flags.network, facts);
    add_secrets(request, flags.mounts, facts);
    add_relabels(request, flags.mounts, facts);
    share_memory(request, flags, facts);
    add_lifecycle(request, flags, facts);
    add_image(request, facts);
    add_labels(spec, flags, facts);
    request.health = health_check(flags);
    validate_flags(spec);
    request.description =
        plan::unit_description(shown_source(facts) + ": " + join(spec.process->args, " "));
    return request;
}

} // namespace sctr::cli
