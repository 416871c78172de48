// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/oci/bundle.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "container/nested_cgroup.hpp"
#include "host/caller.hpp"
#include "oci/json.hpp"
#include "oci/parse.hpp"
#include "oci/validate.hpp"
#include "plan/cgroups_path.hpp"
#include "plan/gvariant.hpp"
#include "plan/unit_properties.hpp"

namespace sctr::cli::engine {

namespace {

constexpr std::string_view property_prefix = "org.systemd.property.";

std::string real_path(const std::string& path, const char* what_failed) {
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved) == nullptr) {
        throw Error(what_failed).at(path).because(errno);
    }
    return resolved;
}

std::string below(const std::string& directory, const std::string& path) {
    return path.starts_with('/') ? path : directory + "/" + path;
}

void resolve_paths(oci::Spec& spec, const std::string& bundle) {
    spec.root.path = real_path(below(bundle, spec.root.path), "cannot use the rootfs");
    for (oci::Mount& mount : spec.mounts) {
        const bool is_bind =
            mount.type == "bind" || std::ranges::any_of(mount.options, [](const auto& option) {
                return option == "bind" || option == "rbind";
            });
        if (is_bind && !mount.source.empty()) {
            mount.source = below(bundle, mount.source);
        }
    }
}

void add_properties(plan::Request& request) {
    for (const auto& [name, value] : request.spec.annotations) {
        if (name.starts_with(property_prefix)) {
            request.extra_properties.push_back(
                plan::read_gvariant_property(std::string_view(name).substr(property_prefix.size()),
                                             value,
                                             "annotation " + name));
        }
    }
}

/// As in crun, for engines that came before listenerPath.
void set_seccomp_receiver(oci::Spec& spec) {
    const auto annotation = spec.annotations.find("run.oci.seccomp.receiver");
    const char* variable = std::getenv("RUN_OCI_SECCOMP_RECEIVER");
    const std::string path = annotation != spec.annotations.end() ? annotation->second
                             : variable != nullptr                ? variable
                                                                  : "";
    if (path.empty() || !spec.linux.seccomp || !spec.linux.seccomp->listener_path.empty()) {
        return;
    }
    if (!path.starts_with('/')) {
        throw Error("cannot use the seccomp receiver")
            .at(path)
            .because("it is not an absolute path")
            .mend("set run.oci.seccomp.receiver to the path of a socket");
    }
    spec.linux.seccomp->listener_path = path;
}

std::string description_of(const oci::Spec& spec, const std::string& id) {
    const std::string command = spec.process ? join(spec.process->args, " ") : "";
    return plan::unit_description("Container " + id + ": " + command);
}

} // namespace

std::string bundle_path(const CreateFlags& flags) {
    return real_path(flags.bundle.value_or("."), "cannot use the bundle");
}

std::string read_input(const std::string& file, const char* what_failed) {
    const bool is_stdin = file == "-";
    const auto failed = [&](int error_number) {
        return Error(what_failed).at(is_stdin ? "stdin" : file).because(error_number);
    };
    const UniqueFd opened(is_stdin ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                   : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.valid()) {
        throw failed(errno);
    }
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t size = ::read(opened.get(), buffer.data(), buffer.size());
        if (size == 0) {
            return text;
        }
        if (size < 0 && errno != EINTR) {
            throw failed(errno);
        }
        text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        if (text.size() > oci::max_json_bytes) {
            throw failed(EFBIG);
        }
    }
}

plan::Request request_of_bundle(const CreateFlags& flags, const std::string& id) {
    const std::string bundle = bundle_path(flags);
    const std::string file = flags.config ? below(bundle, *flags.config) : bundle + "/config.json";
    const std::string text = read_input(file, "cannot read the bundle's configuration");
    plan::Request request;
    request.id = id;
    request.bundle = bundle;
    request.spec = oci::parse(text);
    set_seccomp_receiver(request.spec);
    oci::validate(request.spec);
    resolve_paths(request.spec, bundle);
    const auto unit = plan::cgroup_of_unit_above(request.spec.linux.cgroups_path);
    if (unit && container::nested::is_ours(*unit)) {
        request.cgroup = request.spec.linux.cgroups_path;
    }
    const plan::ScopePlace place = plan::read_cgroups_path(
        request.spec.linux.cgroups_path,
        id,
        host::caller().is_system ? "sctr.slice" : "user.slice"); // as runc and crun
    request.slice = place.slice;
    request.unit_name = place.unit;
    request.unenforced_limits = true;
    request.description = description_of(request.spec, id);
    add_properties(request);
    request.no_pivot = flags.no_pivot;
    request.no_new_keyring = flags.no_new_keyring;
    return request;
}

} // namespace sctr::cli::engine
