// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/validate.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool has_leading_zero(std::string_view text) {
    return text.size() > 1 && text.starts_with('0');
}

/// Dot-separated identifiers of SemVer 2.0.0, sections 9 and 10.
bool are_identifiers(std::string_view text, bool leading_zeros) {
    return std::ranges::all_of(split(text, '.'), [leading_zeros](const std::string& identifier) {
        constexpr auto letters = "0123456789-"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        return !identifier.empty() && identifier.find_first_not_of(letters) == std::string::npos &&
               (leading_zeros || !is_number(identifier) || !has_leading_zero(identifier));
    });
}

bool is_semver(std::string_view text) {
    const auto [release, build] = split_once(text, '+');
    const auto [core, prerelease] = split_once(release, '-');
    const auto numbers = split(core, '.');
    return numbers.size() == 3 &&
           std::ranges::all_of(numbers,
                               [](const std::string& number) {
                                   return is_number(number) && !has_leading_zero(number);
                               }) &&
           (!prerelease || are_identifiers(*prerelease, false)) &&
           (!build || are_identifiers(*build, true));
}

/// config.md, Specification version.
void check_version(const Place& place, const std::string& version) {
    require(is_semver(version) && version.starts_with("1."),
            place,
            "\"" + version + "\" is not a version of runtime-spec 1.x, such as 1.3.0");
}

/// config.md, Mounts; mount mappings are as those of a user namespace.
void check_mounts(const Place& place, const std::vector<Mount>& mounts) {
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        const auto& mount = mounts[i];
        const Place here(place, i);
        require(
            !mount.destination.empty(), Place(here, "destination"), "empty; a path is required");
        require(mount.uid_mappings.empty() == mount.gid_mappings.empty(),
                here,
                "uidMappings and gidMappings must be given together");
        check_id_mappings(Place(here, "uidMappings"), mount.uid_mappings);
        check_id_mappings(Place(here, "gidMappings"), mount.gid_mappings);
    }
}

/// config.md, POSIX-platform Hooks.
void check_hooks(const Place& place, const std::vector<Hook>& hooks) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        const Place here(place, i);
        require_absolute(Place(here, "path"), hooks[i].path);
        const auto timeout = hooks[i].timeout.value_or(1);
        require(timeout > 0,
                Place(here, "timeout"),
                std::to_string(timeout) + " seconds; valid: 1 and more");
    }
}

void check_hooks(const Place& place, const Hooks& hooks) {
    check_hooks(Place(place, "prestart"), hooks.prestart);
    check_hooks(Place(place, "createRuntime"), hooks.create_runtime);
    check_hooks(Place(place, "createContainer"), hooks.create_container);
    check_hooks(Place(place, "startContainer"), hooks.start_container);
    check_hooks(Place(place, "poststart"), hooks.poststart);
    check_hooks(Place(place, "poststop"), hooks.poststop);
}

/// config.md, Hostname and Domainname. A joined namespace is enough, as in runc: CRI-O gives every
/// container of a pod the hostname of the namespace that it joins.
void check_host_names(const Place& root, const Spec& spec) {
    const bool has_uts = find_namespace(spec.linux, NamespaceType::uts) != nullptr;
    constexpr auto why = "would change the host; it needs a namespace of type uts";
    require(spec.hostname.empty() || has_uts, Place(root, "hostname"), why);
    require(spec.domainname.empty() || has_uts, Place(root, "domainname"), why);
}

} // namespace

void validate(const Spec& spec) {
    const Place root;
    check_version(Place(root, "ociVersion"), spec.oci_version);
    require(!spec.root.path.empty(),
            Place(Place(root, "root"), "path"),
            "empty; the path of the root filesystem is required");
    if (spec.process) {
        check_process(Place(root, "process"), *spec.process);
    }
    check_host_names(root, spec);
    check_mounts(Place(root, "mounts"), spec.mounts);
    check_hooks(Place(root, "hooks"), spec.hooks);
    require(!spec.annotations.contains(""), Place(root, "annotations"), "a key is empty");
    check_linux(Place(root, "linux"), spec);
}

void validate_process(const Process& process) {
    check_process(Place(), process);
}

void validate_resources(const Resources& resources) {
    check_resources(Place(), resources);
}

} // namespace sctr::oci
